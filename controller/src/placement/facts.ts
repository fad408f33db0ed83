// A node as rules and preferences look at it: what it has as bit masks and sums, without the names
// of devices.
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { sizeOf } from "../domain/bundle.js";
import type { LeafGroupKey } from "./fleet.js";
import type { Make } from "./make.js";

export interface NodeFacts {
  readonly nodeId: NodeId;
  readonly zone: string;
  readonly physicalClusterId: PhysicalClusterId;
  readonly make: Make;
  readonly eligible: boolean;
  readonly leaseFresh: boolean;
  readonly inventoryMatches: boolean;
  /** Bit p is the node's pair p, in rail order. */
  readonly healthy: number;
  readonly free: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

/** What changes of a node as it is heard or not, instances come and go and rails fail. */
export type NodeState = Pick<
  NodeFacts,
  "leaseFresh" | "healthy" | "free" | "vcpu" | "memoryMib" | "diskGib"
>;

/** Whether the node is well, alive, and none of its pairs is taken, sick or missing. */
export function isWhollyFree(node: Omit<NodeFacts, "zone" | "physicalClusterId">): boolean {
  const { make, free, healthy } = node;
  if (!node.eligible || !node.leaseFresh || !node.inventoryMatches) return false;
  return free === make.pairs && healthy === make.pairs && sizeOf(make.pairs) === make.gpuCount;
}

/** Leaf groups are named within their cluster. */
export function groupKey({ physicalClusterId, leafGroup }: LeafGroupKey): string {
  return `${physicalClusterId} ${leafGroup}`;
}
