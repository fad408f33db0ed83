// Flags that say what room is wanted: so many instances of a profile in a cluster network, and how
// close together.
import type { PlacementShape } from "@railyard/proto/gen/railyard/v1/placement";
import type { Command } from "commander";
import { wholeNumber } from "../flags.js";
import type { Session } from "../session.js";
import { networkId } from "./network.js";

export interface ClosenessFlags {
  readonly maxLeafGroups?: string;
  readonly segmentSize?: string;
}

export interface ShapeFlags extends ClosenessFlags {
  readonly network: string;
  readonly profile: string;
  readonly count: string;
  readonly attachments?: string;
  readonly spares?: string;
}

/** Adds the flags that say how close together. */
export function withCloseness(command: Command): Command {
  return command
    .option("--max-leaf-groups <n>", "spread over at most so many groups of close machines")
    .option("--segment-size <n>", "keep each run of so many in one group of close machines");
}

/** Adds the flags of a shape. */
export function withShape(command: Command): Command {
  command
    .requiredOption("--network <network>", "the cluster network, by name or id")
    .requiredOption("--profile <name>", "instance profile")
    .requiredOption("--count <n>", "how many instances")
    .option("--attachments <n>", "attachments of each (the profile's usual count when absent)");
  return withCloseness(command).option("--spares <n>", "room for so many more, should some fail");
}

/** How close together; unset numbers are 0. */
export function closenessOf({ maxLeafGroups, segmentSize }: ClosenessFlags) {
  return {
    maxLeafGroups: number(maxLeafGroups, "--max-leaf-groups"),
    segmentSize: number(segmentSize, "--segment-size"),
  };
}

export async function shapeOf(session: Session, flags: ShapeFlags): Promise<PlacementShape> {
  const shape = shapeWithId(flags);
  return { ...shape, clusterNetworkId: await networkId(session, flags.network) };
}

/** The same for operators, whose `--network` is an id. */
export function shapeWithId(flags: ShapeFlags): PlacementShape {
  const { network: clusterNetworkId, profile: instanceProfile, count, attachments, spares } = flags;
  return {
    ...{ clusterNetworkId, instanceProfile },
    count: number(count, "--count"),
    attachmentCount: number(attachments, "--attachments"),
    ...closenessOf(flags),
    spares: number(spares, "--spares"),
  };
}

function number(text: string | undefined, flag: string): number {
  return text === undefined ? 0 : wholeNumber(text, flag);
}
