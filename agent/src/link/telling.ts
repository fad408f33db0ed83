// What one pass found, in the bytes in which it is told: made once a pass, since a pass is told or
// compared many times. It must not know when it is told, nor to whom.
import { nodeDigest, partitionKey } from "@railyard/lib/attest";
import {
  Report,
  Inventory as WireInventory,
  type GuestLayout as WireLayout,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { Inventory, PassReport } from "../model.js";
import { wirePartition } from "./partitions.js";
import { wireInstance, wireInventory, wireTrace } from "./report.js";

/** An inventory as it is told. */
export interface ToldInventory {
  readonly wire: WireInventory;
  readonly bytes: Uint8Array;
}

export interface Telling {
  readonly pass: PassReport;
  /** Without layouts and inventory, which are told when they are news. */
  readonly report: Report;
  readonly bytes: Uint8Array;
  readonly inventory: ToldInventory;
  /** Over the instances whose facts could be read back, and the partitions. */
  readonly digest: string;
}

/** Who tells. */
export interface Teller {
  readonly nodeId: string;
  readonly session: string;
}

export function tellingOf(pass: PassReport, { nodeId, session }: Teller): Telling {
  const { epoch, generation, instances, residues, complete, partitions = [] } = pass;
  const report: Report = {
    nodeId,
    session,
    epoch,
    generation,
    instances: instances.map(wireInstance),
    residues: residues.map(wireTrace),
    complete,
    partitions: partitions.map(wirePartition),
  };
  return {
    pass,
    report,
    bytes: Report.encode(report).finish(),
    inventory: toldInventory(pass.inventory),
    digest: digestOf(report),
  };
}

/** The report with what is news beside it: layouts by instance id, and the inventory. */
export function messageOf(
  { report, bytes, inventory }: Telling,
  layouts: ReadonlyMap<string, WireLayout>,
  moved: boolean,
): Uint8Array {
  if (layouts.size === 0 && !moved) return bytes;
  const instances = report.instances.map((i) => ({ ...i, layout: layouts.get(i.instanceId) }));
  const whole = { ...report, instances, ...(moved && { inventory: inventory.wire }) };
  return Report.encode(whole).finish();
}

export function toldInventory(inventory: Inventory): ToldInventory {
  const wire = wireInventory(inventory);
  return { wire, bytes: WireInventory.encode(wire).finish() };
}

// An instance whose facts could not be read back is told without a digest.
function digestOf({ instances, partitions }: Report): string {
  const known = instances.filter(({ digest }) => digest !== "");
  return nodeDigest(
    new Map([
      ...known.map(({ instanceId, digest }): [string, string] => [instanceId, digest]),
      ...partitions.map(({ pkey, digest }): [string, string] => [partitionKey(pkey), digest]),
    ]),
  );
}
