// The part of the store contract that holds tenants' objects: what one account may read and write.
// Another account's objects answer exactly like missing ones.
import type { Cidr } from "@railyard/lib/address";
import type {
  AccountId,
  AttachmentId,
  ClusterNetworkId,
  HoldId,
  InstanceId,
  InterfaceId,
  ReservedIpId,
  SubnetId,
} from "@railyard/lib/ids";
import type { Attachment } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { GuestLayout } from "../domain/guest-layout.js";
import type { Hold, HoldEnd } from "../domain/hold.js";
import type { Instance } from "../domain/instance.js";
import type { Interface } from "../domain/interface.js";
import type { QuotaSubject } from "../domain/quota.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import type { Subnet } from "../domain/subnet.js";
import type { Listed, Lookup, Page, PageKey, Rows, Shown } from "./contract.js";

export interface NetworkFilter {
  readonly name?: string;
  readonly resourceGroupId?: string;
  readonly vpcId?: string;
}
export interface SubnetFilter {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly name?: string;
}
export interface ReservedIpFilter {
  readonly subnetId: SubnetId;
  readonly name?: string;
  readonly address?: number;
}
export interface InterfaceFilter {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly name?: string;
  readonly subnetId?: SubnetId;
  readonly targetId?: AttachmentId;
}
export interface InstanceFilter {
  readonly name?: string;
  readonly vpcId?: string;
  readonly clusterNetworkId?: ClusterNetworkId;
  readonly profile?: string;
  readonly status?: string;
}

export interface NetworkReads
  extends Lookup<ClusterNetwork, ClusterNetworkId>,
    Listed<ClusterNetwork, NetworkFilter> {}
export interface SubnetReads extends Lookup<Subnet, SubnetId>, Listed<Subnet, SubnetFilter> {
  /** All subnets of a network, by first address. */
  ofNetwork(network: ClusterNetworkId): Promise<readonly Subnet[]>;
  /** The same, of each its block. */
  blocks(network: ClusterNetworkId): Promise<readonly Cidr[]>;
}
export interface ReservedIpReads
  extends Lookup<ReservedIp, ReservedIpId>,
    Listed<ReservedIp, ReservedIpFilter> {
  byAddress(subnet: SubnetId, address: number): Promise<ReservedIp | undefined>;
}
export interface InterfaceReads
  extends Lookup<Interface, InterfaceId>,
    Listed<Interface, InterfaceFilter> {}
export interface InstanceReads
  extends Lookup<Instance, InstanceId>,
    Listed<Instance, InstanceFilter>,
    Shown<InstanceId, InstanceFilter> {}
export interface AttachmentReads extends Lookup<Attachment, AttachmentId> {
  /** In position order. */
  ofInstance(instance: InstanceId): Promise<readonly Attachment[]>;
}

export interface HoldFilter {
  readonly name?: string;
  readonly clusterNetworkId?: ClusterNetworkId;
  readonly profile?: string;
}

/** Rows of holds whose time is over stay until they are ended; `at` is wall time, milliseconds. */
export interface HoldReads extends Lookup<Hold, HoldId>, Listed<Hold, HoldFilter> {
  /** Those whose time is not over, newest first, then by name. */
  living(
    at: number,
    page: { readonly after?: PageKey; readonly limit: number },
  ): Promise<Page<Hold>>;
  /** Those of a network whose time is not over, by id. */
  inNetwork(network: ClusterNetworkId, at: number): Promise<readonly Hold[]>;
  /** Those whose time is over, the longest first. */
  over(at: number, limit: number): Promise<readonly Hold[]>;
  /** How a hold ended; undefined when it has not, or too long ago. */
  endOf(id: HoldId): Promise<HoldEnd | undefined>;
}

export interface HoldRows extends Rows<Hold, HoldId>, HoldReads {
  /** Deletes the hold and remembers for a while how it ended. Its claims are not touched. */
  end(hold: Hold, how: HoldEnd, at: number): Promise<void>;
}

/** One account's objects; another account's answer exactly like missing ones. */
export interface AccountReads {
  readonly clusterNetworks: NetworkReads;
  readonly subnets: SubnetReads;
  readonly reservedIps: ReservedIpReads;
  readonly interfaces: InterfaceReads;
  readonly instances: InstanceReads;
  readonly attachments: AttachmentReads;
  readonly holds: HoldReads;
  readonly guestLayouts: GuestLayoutReads;
  readonly quotas: QuotaReads;
}

export interface SubnetRows extends Rows<Subnet, SubnetId>, SubnetReads {}

export interface AccountRows extends AccountReads {
  readonly clusterNetworks: Rows<ClusterNetwork, ClusterNetworkId> & NetworkReads;
  readonly subnets: SubnetRows;
  readonly reservedIps: Rows<ReservedIp, ReservedIpId> & ReservedIpReads;
  readonly interfaces: Rows<Interface, InterfaceId> & InterfaceReads;
  readonly instances: Rows<Instance, InstanceId> & InstanceReads;
  readonly attachments: Rows<Attachment, AttachmentId> & AttachmentReads;
  readonly holds: HoldRows;
  readonly guestLayouts: GuestLayouts;
  readonly addresses: Addresses;
  readonly macs: Macs;
  readonly quotas: Quotas;
}

export interface GuestLayoutReads {
  /** The layout that the instance was last seen running with; gone once it releases its claim. */
  get(instance: InstanceId): Promise<GuestLayout | undefined>;
}

export interface GuestLayouts extends GuestLayoutReads {
  /** Keeps the layout of an instance that holds a claim; the same again changes nothing. */
  put(
    owner: { readonly id: InstanceId; readonly account: AccountId },
    layout: GuestLayout,
  ): Promise<void>;
}

/**
 * Free addresses of subnets as disjoint runs; every call is O(log n) in the number of leases. A new
 * subnet whose row says that all of its tenants' addresses are available has them all.
 */
export interface Addresses {
  /** Takes the lowest free address, or `wanted`; undefined when none, or when it is not free. */
  take(subnet: SubnetId, wanted?: number): Promise<number | undefined>;
  /** Takes the `count` lowest free addresses, ascending; fewer when no more are free. */
  takeLowest(subnet: SubnetId, count: number): Promise<readonly number[]>;
  /** Returns an address to its subnet. */
  giveBack(subnet: SubnetId, address: number): Promise<void>;
}

/** MACs at rest are not to be used again in their network before `until`. */
export interface Macs {
  rest(network: ClusterNetworkId, mac: string, until: number): Promise<void>;
  /** Those of the MACs that rest in any of these networks, or that an interface of theirs has. */
  taken(
    networks: readonly ClusterNetworkId[],
    macs: readonly string[],
  ): Promise<ReadonlySet<string>>;
}

/** How much of one subject the account may have, and has. */
export interface QuotaCount {
  readonly subject: QuotaSubject;
  readonly limit: number;
  /** Of a subject that is counted within networks: in the fullest one. */
  readonly used: number;
}

export interface QuotaReads {
  /** Every subject, in the domain's order. */
  counts(): Promise<readonly QuotaCount[]>;
}

/** Counters changed by `UPDATE … WHERE used + n <= limit`. */
export interface Quotas extends QuotaReads {
  /** What the account may have from now on; what it has beyond that it keeps. */
  setLimit(subject: QuotaSubject, limit: number): Promise<void>;
  /** Adds to the count; throws `exhausted` (QUOTA_EXCEEDED, with limit and used) when over. */
  take(subject: QuotaSubject, n: number, within?: ClusterNetworkId): Promise<void>;
  giveBack(subject: QuotaSubject, n: number, within?: ClusterNetworkId): Promise<void>;
}
