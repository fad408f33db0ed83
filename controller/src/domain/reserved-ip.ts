// A reserved IP: one address of a subnet held by a user, perhaps bound to an interface, or kept by
// the provider. What the provider keeps follows from the subnet, so that nothing has to store it.
import { type Cidr, cidrLast } from "@railyard/lib/address";
import {
  type ClusterNetworkId,
  type InterfaceId,
  ownerInId,
  partId,
  type ReservedIpId,
  type SubnetId,
} from "@railyard/lib/ids";
import type { Owned } from "./lifecycle.js";
import type { Subnet } from "./subnet.js";

export interface ReservedIp extends Owned {
  readonly id: ReservedIpId;
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
  readonly name: string;
  /** Unsigned 32-bit IPv4 address. */
  readonly address: number;
  readonly autoDelete: boolean;
  readonly owner: "user" | "provider";
  /** The interface it is bound to. */
  readonly targetId: InterfaceId | undefined;
}

/** What the provider keeps in every subnet: network, first three hosts, broadcast. */
const KEPT: readonly { readonly name: string; readonly address: (cidr: Cidr) => number }[] = [
  { name: "ibm-network-address", address: ({ first }) => first },
  { name: "ibm-default-gateway", address: ({ first }) => first + 1 },
  { name: "ibm-dns-address", address: ({ first }) => first + 2 },
  { name: "ibm-reserved-address", address: ({ first }) => first + 3 },
  { name: "ibm-broadcast-address", address: cidrLast },
];
/** How many addresses of every subnet are the provider's. */
export const PROVIDER_IPS = KEPT.length;
/** They never change. */
const ETAG = "unchanging";

/** What a subnet's provider-owned reserved IPs follow from. */
export type KeptFrom = Pick<Subnet, "id" | "account" | "clusterNetworkId" | "createdAt" | "cidr">;

/** The reserved IPs that the provider has in a subnet, for as long as the subnet is there. */
export function providerIps(subnet: KeptFrom): readonly ReservedIp[] {
  const { id: subnetId, account, clusterNetworkId, createdAt, cidr } = subnet;
  return KEPT.map(({ name, address }, nth) => ({
    id: partId("reservedIp", subnetId, nth),
    account,
    createdAt,
    etag: ETAG,
    lifecycleState: "stable",
    lifecycleReasons: [],
    clusterNetworkId,
    subnetId,
    name,
    address: address(cidr),
    autoDelete: false,
    owner: "provider",
    targetId: undefined,
  }));
}

/** The subnet that a provider-owned reserved IP of this id would be in; else undefined. */
export function subnetOfProviderIp(id: ReservedIpId): SubnetId | undefined {
  return ownerInId(id) as SubnetId | undefined;
}
