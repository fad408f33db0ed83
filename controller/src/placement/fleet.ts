// What placement sees: a snapshot of the fleet, a request, and either a plan or a refusal. Plain
// data; no clock, no store, no promise.
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";

/** One (GPU, NIC) pair of a node, in rail order within the node. */
export interface FleetPair {
  readonly rail: number;
  readonly gpu: string;
  readonly nic: string;
  readonly healthy: boolean;
  /** Whether GPU and NIC are free of any claim. */
  readonly free: boolean;
}

export interface FleetNode {
  readonly nodeId: NodeId;
  readonly zone: string;
  readonly physicalClusterId: PhysicalClusterId;
  readonly leafGroup: string;
  /** What instance profiles ask for, e.g. `H100`; declared with the hardware. */
  readonly gpuModel: string;
  /**
   * GPUs that the hardware declares. Without a host Fabric Manager only all of them are a legal
   * bundle.
   */
  readonly gpuCount: number;
  readonly eligible: boolean;
  readonly leaseFresh: boolean;
  readonly inventoryMatches: boolean;
  readonly pairs: readonly FleetPair[];
  readonly vfsPerNic: number;
  readonly nicSpeedGbps: number;
  readonly free: { readonly vcpu: number; readonly memoryMib: number; readonly diskGib: number };
}

export interface Fleet {
  readonly nodes: readonly FleetNode[];
}

export interface PlacementRequest {
  readonly instanceId: InstanceId;
  readonly zone: string;
  /** Absent for instances without a cluster network. */
  readonly physicalClusterId: PhysicalClusterId | undefined;
  /** Absent for instances without GPUs. */
  readonly gpuModel: string | undefined;
  readonly gpuCount: number;
  /** Rails that the instance's pairs must cover, 0 … rails - 1; 0 without attachments. */
  readonly rails: number;
  readonly attachmentCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly previousNodeId: NodeId | undefined;
  /** Leaf group of the previous node; the second best place to go back to. */
  readonly previousLeafGroup: string | undefined;
  /** Nodes lost to other writers in this call's earlier tries. */
  readonly exclude: readonly NodeId[];
  /** Ties break by a hash of (seed, node id). */
  readonly seed: string;
}

export interface Plan {
  readonly fits: true;
  readonly nodeId: NodeId;
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
  "lostRace",
] as const;
export type Rule = (typeof RULES)[number];

export interface Refusal {
  readonly fits: false;
  readonly considered: number;
  /** How many nodes each rule removed; a node counts under the first rule it fails. */
  readonly removed: Readonly<Partial<Record<Rule, number>>>;
}
