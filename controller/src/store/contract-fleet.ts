// The part of the store contract that holds the physical side: declared things, nodes, claims,
// isolation ids and the outbox. Operators, placement and dispatch only.
import type {
  AccountId,
  AttachmentId,
  ClusterNetworkId,
  InstanceId,
  NodeId,
  PhysicalClusterId,
} from "@railyard/lib/ids";
import type { CatalogItem, CatalogKind } from "../domain/catalog-item.js";
import type { Node } from "../domain/node.js";
import type { PhysicalCluster } from "../domain/physical-cluster.js";
import type { ClusterNetworkProfile, InstanceProfile, Offered } from "../domain/profile.js";
import type { Lookup } from "./contract.js";

export interface PhysicalClusterReads extends Lookup<PhysicalCluster, PhysicalClusterId> {
  all(): Promise<readonly PhysicalCluster[]>;
}
export interface NodeReads extends Lookup<Node, NodeId> {
  all(): Promise<readonly Node[]>;
  byName(name: string): Promise<Node | undefined>;
}
export interface ProfileReads {
  clusterNetworks(): Promise<readonly Offered<ClusterNetworkProfile>[]>;
  clusterNetwork(name: string): Promise<Offered<ClusterNetworkProfile> | undefined>;
  instances(): Promise<readonly Offered<InstanceProfile>[]>;
  instance(name: string): Promise<Offered<InstanceProfile> | undefined>;
}
export interface CatalogReads {
  /** The item when it belongs to `account` or to every account. */
  get(kind: CatalogKind, id: string, account: AccountId): Promise<CatalogItem | undefined>;
  all(): Promise<readonly CatalogItem[]>;
}

/** A zone, as declared. */
export interface Zone {
  readonly name: string;
}

/** One applied mzone document. */
export interface MzoneRecord {
  readonly name: string;
  readonly generation: number;
  /** Canonical JSON of the document as applied. */
  readonly document: string;
  readonly appliedAt: number;
}

/** Devices and amounts of one node that are spoken for. */
export interface NodeClaims {
  readonly nodeId: NodeId;
  readonly gpus: readonly { readonly deviceId: string; readonly instanceId: InstanceId }[];
  readonly vfs: readonly {
    readonly nic: string;
    readonly vf: number;
    readonly instanceId: InstanceId;
    readonly attachmentId: AttachmentId;
  }[];
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

/** What one instance takes on a node. */
export interface Claim {
  readonly nodeId: NodeId;
  readonly instanceId: InstanceId;
  readonly gpus: readonly string[];
  readonly vfs: readonly {
    readonly nic: string;
    readonly vf: number;
    readonly attachmentId: AttachmentId;
  }[];
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

export interface ClaimReads {
  ofNode(node: NodeId): Promise<NodeClaims>;
  /** For every node with any claim. */
  all(): Promise<readonly NodeClaims[]>;
  ofInstance(instance: InstanceId): Promise<Claim | undefined>;
}

export interface ClaimRows extends ClaimReads {
  /** The node's totals that sums may not pass. */
  setLimits(
    node: NodeId,
    limits: { readonly vcpu: number; readonly memoryMib: number; readonly diskGib: number },
  ): Promise<void>;
  /**
   * Throws `conflict` (reason LOST_RACE) when any device is taken or any sum would pass its limit.
   */
  claim(claim: Claim): Promise<void>;
  /** Gives back everything the instance holds, on whichever node. */
  release(instance: InstanceId): Promise<void>;
}

export interface IsolationRows {
  /** Takes the lowest free id of the cluster's range; undefined when none is free. */
  take(cluster: PhysicalClusterId, network: ClusterNetworkId): Promise<number | undefined>;
  /** Starts the id's quarantine; it returns to the pool at `until`. */
  rest(cluster: PhysicalClusterId, id: number, until: number): Promise<void>;
  /** How many ids are free, without those in use or resting. */
  free(cluster: PhysicalClusterId): Promise<number>;
}

export interface OutboxEntry {
  readonly nodeId: NodeId;
  readonly generation: bigint;
}

export interface Outbox {
  /** Nodes whose newest desired state has not been accepted, oldest first. */
  pending(): Promise<readonly OutboxEntry[]>;
}

export interface OutboxRows extends Outbox {
  /**
   * Marks a change of the node's desired state: raises its generation once per transaction (however
   * often it is called) and puts it into the outbox. Returns the generation that the change has.
   */
  raise(node: NodeId): Promise<bigint>;
  /** The agent durably accepted `generation`: the entry goes when nothing newer was raised. */
  accepted(node: NodeId, generation: bigint): Promise<void>;
}
