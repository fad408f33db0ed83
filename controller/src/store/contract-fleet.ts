// The part of the store contract that holds the physical side: declared things, nodes, claims,
// isolation ids and the outbox. Operators, placement and dispatch only.
import type {
  AccountId,
  AttachmentId,
  ClusterNetworkId,
  FaultId,
  InstanceId,
  NodeId,
  PhysicalClusterId,
} from "@railyard/lib/ids";
import type { Soon } from "@railyard/lib/soon";
import type { CatalogItem, CatalogKind } from "../domain/catalog-item.js";
import type { PortMembership } from "../domain/fabric.js";
import type { InstancePlacement } from "../domain/instance.js";
import type { Node } from "../domain/node.js";
import type { NodeFault } from "../domain/node-fault.js";
import type { PhysicalCluster } from "../domain/physical-cluster.js";
import type { ClusterNetworkProfile, InstanceProfile, Offered } from "../domain/profile.js";
import type { Listed, Lookup } from "./contract.js";

export interface PhysicalClusterReads extends Lookup<PhysicalCluster, PhysicalClusterId> {
  all(): Promise<readonly PhysicalCluster[]>;
}
export interface NodeReads extends Lookup<Node, NodeId> {
  all(): Promise<readonly Node[]>;
  byName(name: string): Promise<Node | undefined>;
  /** The one that drives the cluster's subnet manager; undefined where there is none. */
  fabricOf(cluster: PhysicalClusterId): Promise<Node | undefined>;
}
export interface NodeFaultFilter {
  readonly nodeId?: NodeId;
}
export interface NodeFaultReads
  extends Lookup<NodeFault, FaultId>,
    Listed<NodeFault, NodeFaultFilter> {
  /** By id. */
  ofNode(node: NodeId): Promise<readonly NodeFault[]>;
  /** Those whose time was over by `at`. */
  expired(at: number): Promise<readonly NodeFault[]>;
}
export interface ProfileReads {
  clusterNetworks(): Soon<readonly Offered<ClusterNetworkProfile>[]>;
  clusterNetwork(name: string): Soon<Offered<ClusterNetworkProfile> | undefined>;
  instances(): Soon<readonly Offered<InstanceProfile>[]>;
  instance(name: string): Soon<Offered<InstanceProfile> | undefined>;
}
export interface CatalogReads {
  /** The item when it belongs to `account` or to every account. */
  get(kind: CatalogKind, id: string, account: AccountId): Soon<CatalogItem | undefined>;
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
  /** Gives back everything the instance holds, on whichever node; its guest's layout goes too. */
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

/** A virtual port of a placed instance on an InfiniBand fabric. */
export interface ClaimedPort {
  readonly mac: string;
  readonly pkey: number;
  readonly phase: InstancePlacement["phase"];
}

export interface FabricReads {
  /** Of all instances that hold devices in the cluster. */
  claimedPorts(cluster: PhysicalClusterId): Promise<readonly ClaimedPort[]>;
  /** What was last read back of these ports, by GUID: every partition that they carried. */
  readBack(
    cluster: PhysicalClusterId,
    guids: readonly string[],
  ): Promise<readonly PortMembership[]>;
}

export interface FabricRows extends FabricReads {
  /** Replaces what was read back of the whole fabric; how many rows that changed. */
  putReadBack(cluster: PhysicalClusterId, all: readonly PortMembership[]): Promise<number>;
}

/** The one instance, of whichever account, that uses a volume. */
export interface VolumeUser {
  readonly account: AccountId;
  readonly instanceId: InstanceId;
}

export interface VolumeReads {
  userOf(volumeId: string): Promise<VolumeUser | undefined>;
}

export interface VolumeRows extends VolumeReads {
  /** Throws `exists` (`volume-user`) while another instance uses the volume. */
  claim(volumeId: string, user: VolumeUser): Promise<void>;
  /** Gives back all volumes of the instance; before the instance itself is deleted. */
  release(instance: InstanceId): Promise<void>;
}

/** The rails, ascending, on which an instance that takes a part of a node was placed. */
export interface RailSet {
  readonly instanceId: InstanceId;
  readonly clusterNetworkId: ClusterNetworkId;
  readonly profile: string;
  readonly rails: readonly number[];
}

export interface RailSetReads {
  /**
   * Where an instance of this network and profile was placed, else where a hold has room for one;
   * undefined when there is neither.
   */
  of(network: ClusterNetworkId, profile: string): Promise<readonly number[] | undefined>;
}
export interface RailSetRows extends RailSetReads {
  /** Replaces what is known of the instance; it goes with the instance's row. */
  put(set: RailSet): Promise<void>;
  /** Forgets what is known of an instance that left the network or changed its profile. */
  remove(instance: InstanceId): Promise<void>;
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
