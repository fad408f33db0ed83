// What placement is told and what it answers: nodes, a request, and either a choice or a refusal.
// Plain data; no clock, no store, no promise.
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";

/** One (GPU, NIC) pair of a node, in rail order within the node. */
export interface FleetPair {
  readonly rail: number;
  /** Number of the GPU's module on its board, from 0; legal sets are made of these. */
  readonly module: number;
  readonly gpu: string;
  readonly nic: string;
  readonly healthy: boolean;
  /** Whether GPU and NIC are free of any claim. */
  readonly free: boolean;
}

/** A node as it is looked at closely: by those who put it into the index, and by the judge. */
export interface FleetNode {
  readonly nodeId: NodeId;
  readonly zone: string;
  readonly physicalClusterId: PhysicalClusterId;
  readonly leafGroup: string;
  /** Name of the kind of hardware that it is declared with. */
  readonly hardware: string;
  /** What instance profiles ask for, e.g. `H100`; declared with the hardware. */
  readonly gpuModel: string;
  /** GPUs that the hardware declares. */
  readonly gpuCount: number;
  /** Sets of modules that may be given away together, as bit masks, largest first. */
  readonly legalSets: readonly number[];
  readonly eligible: boolean;
  readonly leaseFresh: boolean;
  readonly inventoryMatches: boolean;
  readonly pairs: readonly FleetPair[];
  readonly vfsPerNic: number;
  readonly nicSpeedGbps: number;
  readonly free: { readonly vcpu: number; readonly memoryMib: number; readonly diskGib: number };
}

export interface PlacementRequest {
  readonly instanceId: InstanceId;
  readonly zone: string;
  /** Absent for instances without a cluster network. */
  readonly physicalClusterId: PhysicalClusterId | undefined;
  /** Absent for instances without GPUs. */
  readonly gpuModel: string | undefined;
  readonly gpuCount: number;
  /** The set of rails that the instance's pairs must be on, bit r for rail r; absent: any. */
  readonly rails: number | undefined;
  /** Pairs that must be on one rail each, by their index among the instance's in rail order. */
  readonly pinned?: readonly { readonly pair: number; readonly rail: number }[];
  /** Rails that attachments can be on at all, bit r for rail r; absent: all. */
  readonly usable?: number | undefined;
  readonly attachmentCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly previousNodeId: NodeId | undefined;
  /** Of the previous node; the second best place to go back to. */
  readonly previousLeafGroup: LeafGroupKey | undefined;
  /** Nodes lost to other writers in this call's earlier tries. */
  readonly exclude: readonly NodeId[];
  /** Nodes whose desired state has room for only so many more instances like this one. */
  readonly crowded?: ReadonlyMap<NodeId, number> | undefined;
  /** Ties break by a hash of it, with the leaf group and then with the node id. */
  readonly seed: string;
}

/** What a request says of some nodes by name. */
export type Exceptions = Pick<PlacementRequest, "exclude" | "crowded">;

export interface LeafGroupKey {
  readonly physicalClusterId: PhysicalClusterId;
  readonly leafGroup: string;
}

/** How far from where the instance was before. */
export type Nearness = "previous-host" | "previous-leaf-group" | "elsewhere";

/** The best place: a node and some of its pairs. */
export interface Choice {
  readonly fits: true;
  readonly nodeId: NodeId;
  /** The chosen pairs: bit p is the node's pair p, in rail order. */
  readonly bundle: number;
  /** Absent for what was nowhere before. */
  readonly near: Nearness | undefined;
}

/** A choice with the devices by name. */
export interface Plan extends Omit<Choice, "bundle"> {
  /** In rail order. */
  readonly pairs: readonly { readonly rail: number; readonly gpu: string; readonly nic: string }[];
}

/** Hard rules by name, in the order in which they are tried. */
export const RULES = [
  "zone",
  "physicalCluster",
  "eligible",
  "leaseFresh",
  "inventoryMatches",
  "profileFits",
  "railsHealthy",
  "railSet",
  "bundleFree",
  "vfsFree",
  "vcpuFree",
  "memoryFree",
  "diskFree",
  "messageFits",
  "lostRace",
] as const;
export type Rule = (typeof RULES)[number];

export interface Refusal {
  readonly fits: false;
  readonly considered: number;
  /** How many nodes each rule removed; a node counts under the first rule it fails. */
  readonly removed: Readonly<Partial<Record<Rule, number>>>;
}

/** The choice on its node, with the devices by name. */
export function planOf({ bundle, ...choice }: Choice, node: Pick<FleetNode, "pairs">): Plan {
  const chosen = node.pairs.filter((_, p) => (bundle & (1 << p)) !== 0);
  return { pairs: chosen.map(({ rail, gpu, nic }) => ({ rail, gpu, nic })), ...choice };
}
