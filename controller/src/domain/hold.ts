// A hold: room reserved ahead for instances of one profile in one cluster network, until it is used
// up or its time is over. What it holds of machines is claimed under the ids of its members.
import type { ClusterNetworkId, HoldId, InstanceId } from "@railyard/lib/ids";
import type { Owned } from "./lifecycle.js";

export interface Hold extends Owned {
  readonly id: HoldId;
  readonly name: string;
  readonly clusterNetworkId: ClusterNetworkId;
  /** Name of the instance profile. */
  readonly profile: string;
  readonly count: number;
  /** Attachments of each instance. */
  readonly attachmentCount: number;
  /** 0 for any. */
  readonly maxLeafGroups: number;
  /** 0 for none. */
  readonly segmentSize: number;
  readonly spares: number;
  /** Wall time, milliseconds; from then on it is gone for everybody. */
  readonly expiresAt: number;
  /** How many members are close together, group by group, largest first. */
  readonly leafGroupSpans: readonly number[];
  /** Of its members' pairs, in order; absent where they take a whole node or no rail matters. */
  readonly rails: readonly number[] | undefined;
}

/** Most members of a gang, and most spares beside them. */
export const MEMBERS_MAX = 64;

/** How a hold ended that was not given back by its owner. */
export type HoldEnd = "consumed" | "expired";

/** For how long it is remembered how a hold ended, milliseconds. */
export const HOLD_END_KEPT_MS = 24 * 60 * 60 * 1000;

/** Members that have room: instances to be, and spares. */
export function membersOf(hold: Pick<Hold, "count" | "spares">): number {
  return hold.count + hold.spares;
}

/** Ids under which the hold's room is claimed; no instance ever has one of them. */
export function memberIds(hold: Pick<Hold, "id" | "count" | "spares">): readonly InstanceId[] {
  return Array.from(
    { length: membersOf(hold) },
    (_, member) => `${hold.id}-${member}` as InstanceId,
  );
}

/** The hold whose member has this id; undefined for an instance's. */
export function holdOf(member: InstanceId): HoldId | undefined {
  const found = /^(hold-[0-9a-z]+)-\d+$/.exec(member);
  return found?.[1] as HoldId | undefined;
}

/** Whether its time is over. */
export function isOver(hold: Pick<Hold, "expiresAt">, at: number): boolean {
  return hold.expiresAt <= at;
}

/** Sizes of the groups that these are in, largest first; says nothing of which groups. */
export function spansOf(groups: readonly string[]): readonly number[] {
  const sizes = new Map<string, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  return [...sizes.values()].sort((a, b) => b - a);
}
