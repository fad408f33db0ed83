// Made-up rows of every noun for the store's suite: valid against the schema, plain to compare.
import type { Attachment } from "@railyard/controller/domain/attachment";
import type { ClusterNetwork } from "@railyard/controller/domain/cluster-network";
import type { Hold } from "@railyard/controller/domain/hold";
import type { Instance } from "@railyard/controller/domain/instance";
import type { Interface } from "@railyard/controller/domain/interface";
import type { Node } from "@railyard/controller/domain/node";
import type { PhysicalCluster } from "@railyard/controller/domain/physical-cluster";
import type { ReservedIp } from "@railyard/controller/domain/reserved-ip";
import type { Subnet } from "@railyard/controller/domain/subnet";
import type { Token } from "@railyard/controller/domain/token";
import type { Cause, WriteTx } from "@railyard/controller/store/contract";
import type { AccountId } from "@railyard/lib/ids";

export const ACCOUNT = "acc-a" as AccountId;
export const OTHER = "acc-b" as AccountId;
export const NOW = 1_750_000_000_000;
/** 10.0.0.0 */
export const BASE = 10 * 2 ** 24;

export function cause(method = "Test", account?: AccountId): Cause {
  return { by: "tok-test", method, at: NOW, ...(account && { account }) };
}

function owned(account: AccountId, createdAt = NOW) {
  return {
    account,
    createdAt,
    etag: "e1",
    lifecycleState: "stable" as const,
    lifecycleReasons: [],
  };
}

export function cluster(id = "pc-1", min = 100, max = 103): PhysicalCluster {
  return {
    id: id as PhysicalCluster["id"],
    name: `name-${id}`,
    type: "hopper-roce",
    zone: "z1",
    isolation: { kind: "vlan", min, max },
    leafGroups: [{ name: "su1", rails: [{ rail: 0, leaves: ["a", "b"] }] }],
    enabled: true,
  };
}

export function node(id = "node-1"): Node {
  return {
    id: id as Node["id"],
    name: `name-${id}`,
    serial: `serial-${id}`,
    zone: "z1",
    physicalClusterId: cluster().id,
    leafGroup: "su1",
    hardware: "hgx-h100",
    cabling: [],
    retired: false,
    cordoned: false,
    cordonReason: "",
    publicKey: undefined,
    incarnation: 0,
    session: undefined,
    superseded: [],
    bootId: "",
    agentVersion: "",
    fake: true,
    inventory: undefined,
    mismatches: [],
    pairs: [],
    flags: [],
    generation: 0n,
    acceptedGeneration: 0n,
    appliedGeneration: 0n,
    registeredAt: undefined,
  };
}

export function network(id = "cn-1", over: Partial<ClusterNetwork> = {}): ClusterNetwork {
  return {
    id: id as ClusterNetwork["id"],
    ...owned(ACCOUNT),
    name: `name-${id}`,
    profile: "hopper-1",
    vpcId: "vpc-1",
    zone: "z1",
    resourceGroupId: "",
    prefix: { first: BASE, prefix: 9 },
    physicalClusterId: cluster().id,
    isolation: { kind: "vlan", id: 100 },
    ...over,
  };
}

export function subnet(id = "cns-1", over: Partial<Subnet> = {}): Subnet {
  return {
    id: id as Subnet["id"],
    ...owned(ACCOUNT),
    clusterNetworkId: network().id,
    name: `name-${id}`,
    cidr: { first: BASE, prefix: 24 },
    availableCount: 0,
    rail: undefined,
    ...over,
  };
}

export function reservedIp(id = "cnip-1", over: Partial<ReservedIp> = {}): ReservedIp {
  return {
    id: id as ReservedIp["id"],
    ...owned(ACCOUNT),
    clusterNetworkId: network().id,
    subnetId: subnet().id,
    name: `name-${id}`,
    address: BASE + 4,
    autoDelete: false,
    owner: "user",
    targetId: undefined,
    ...over,
  };
}

export function networkInterface(id = "cni-1", over: Partial<Interface> = {}): Interface {
  return {
    id: id as Interface["id"],
    ...owned(ACCOUNT),
    clusterNetworkId: network().id,
    subnetId: subnet().id,
    name: `name-${id}`,
    mac: "02:00:00:00:00:01",
    primaryIpId: reservedIp().id,
    autoDelete: false,
    allowIpSpoofing: false,
    targetId: undefined,
    ...over,
  };
}

export function instance(id = "ins-1", over: Partial<Instance> = {}): Instance {
  return {
    id: id as Instance["id"],
    ...owned(ACCOUNT),
    name: `name-${id}`,
    profile: "gx3d",
    vpcId: "vpc-1",
    zone: "z1",
    resourceGroupId: "",
    clusterNetworkId: network().id,
    spec: {
      imageId: "img-1",
      bootVolume: { id: "vol-1", name: "boot", capacityGib: 100 },
      volumeIds: [],
      primaryNetworkAttachment: {
        id: "vnic-1" as Instance["spec"]["primaryNetworkAttachment"]["id"],
        name: "eth0",
        subnetId: "vsub-1",
        mac: "02:00:00:00:01:00",
      },
      networkAttachments: [],
      keyIds: [],
      userData: "",
      metadataService: { enabled: true, protocol: "http", hopLimit: 1 },
      hostFailure: "restart",
      placementTarget: "",
    },
    status: "starting",
    statusReasons: [],
    healthState: "inapplicable",
    healthReasons: [],
    startable: false,
    bootCount: 1,
    placement: undefined,
    previousNodeId: undefined,
    observedDigest: undefined,
    queuedActions: [],
    ...over,
  };
}

export function attachment(id = "cna-1", over: Partial<Attachment> = {}): Attachment {
  return {
    id: id as Attachment["id"],
    ...owned(ACCOUNT),
    instanceId: instance().id,
    clusterNetworkId: network().id,
    interfaceId: networkInterface().id,
    name: `name-${id}`,
    position: 0,
    observed: "pending",
    guestPciAddress: "",
    hostPciAddress: "",
    ...over,
  };
}

export function hold(id = "hold-1", over: Partial<Hold> = {}): Hold {
  return {
    ...owned(ACCOUNT),
    id: id as Hold["id"],
    name: `name-${id}`,
    clusterNetworkId: network().id,
    profile: "gx3d",
    count: 2,
    attachmentCount: 2,
    maxLeafGroups: 1,
    segmentSize: 0,
    spares: 1,
    expiresAt: NOW + 60_000,
    leafGroupSpans: [2, 1],
    rails: [0, 2],
    ...over,
  };
}

export function token(id = "tok-1", over: Partial<Token> = {}): Token {
  return {
    id: id as Token["id"],
    name: id,
    account: ACCOUNT,
    roles: ["tenant-editor"],
    secretHash: `hash-${id}`,
    createdAt: NOW,
    expiresAt: undefined,
    revokedAt: undefined,
    ...over,
  };
}

/** One cluster, node, network, subnet, reserved IP, interface, instance and attachment. */
export async function plant(tx: WriteTx): Promise<void> {
  const own = tx.account(ACCOUNT);
  await tx.physicalClusters.insert(cluster());
  await tx.nodes.insert(node());
  await own.clusterNetworks.insert(network());
  await own.subnets.insert(subnet());
  await own.reservedIps.insert(reservedIp());
  await own.interfaces.insert(networkInterface());
  await own.instances.insert(instance());
  await own.attachments.insert(attachment());
}

/** Adds interfaces `cni-2` … `cni-n` with addresses and MACs of their own. */
export async function plantInterfaces(tx: WriteTx, n: number): Promise<void> {
  const own = tx.account(ACCOUNT);
  for (let i = 2; i <= n; i++) {
    const ip = reservedIp(`cnip-${i}`, { address: BASE + 4 + i });
    await own.reservedIps.insert(ip);
    const mac = `02:00:00:00:00:${i.toString(16).padStart(2, "0")}`;
    await own.interfaces.insert(networkInterface(`cni-${i}`, { mac, primaryIpId: ip.id }));
  }
}
