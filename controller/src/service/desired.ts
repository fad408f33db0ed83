// The whole desired state of one node, built from stored rows alone: the same generation always
// gives the same content. What an instance must be read back as follows from it.
import { formatIpv4 } from "@railyard/lib/address";
import { factsDigest, nodeDigest, partitionDigest, partitionKey } from "@railyard/lib/attest";
import { bug } from "@railyard/lib/errors";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import type { Catalog } from "../catalog/contract.js";
import { type Attachment, landings } from "../domain/attachment.js";
import type { CatalogItem, CatalogKind } from "../domain/catalog-item.js";
import {
  type DesiredAttachment,
  type DesiredInstance,
  type DesiredNode,
  intendedFacts,
} from "../domain/desired.js";
import type { Instance, InstancePlacement } from "../domain/instance.js";
import type { Node } from "../domain/node.js";
import type { HardwareKind } from "../domain/physical-cluster.js";
import type { Claim, ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { epochOf } from "./epoch.js";
import { fabricPartitions } from "./fabric.js";
import { boundsOf, leastBytesOf, mostBytesOf } from "./message-bounds.js";

/** What the node should have now. Throws `bug` when rows that must exist are missing. */
export async function desiredNode(tx: ReadTx, catalog: Catalog, node: Node): Promise<DesiredNode> {
  if (node.role === "fabric") return desiredFabric(tx, node);
  const hardware = present(await tx.hardware.get(node.hardware), "hardware", node.hardware);
  const instances: DesiredInstance[] = [];
  for (const instance of await tx.instancesOnNode(node.id)) {
    const { placement } = instance;
    if (placement?.phase !== "present") continue;
    instances.push(await desiredInstance(tx, catalog, { instance, placement, hardware }));
  }
  instances.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  return {
    nodeId: node.id,
    epoch: await epochOf(tx),
    generation: node.generation,
    vfsPerNic: hardware.nics.vfs,
    instances,
    faults: (await tx.nodeFaults.ofNode(node.id)).map(({ id, spec }) => ({ ...spec, id })),
  };
}

async function desiredFabric(tx: ReadTx, node: Node): Promise<DesiredNode> {
  const { id: nodeId, generation } = node;
  const partitions = await fabricPartitions(tx, node);
  const none = { vfsPerNic: 0, instances: [], faults: [] };
  return { nodeId, epoch: await epochOf(tx), generation, ...none, partitions };
}

/** Largest desired state of a node, in bytes: with its envelope it stays below the bus's limit. */
const DESIRED_BYTES_MAX = 960 * 1024;

/**
 * Whether the node's desired state fits into one message. As JSON it is never smaller than on the
 * wire. One instance alone always fits.
 */
export async function fitsMessage(
  tx: ReadTx,
  { store, catalog }: Pick<ServiceContext, "store" | "catalog">,
  id: NodeId,
): Promise<boolean> {
  const most = await boundsOf(store).ofNode(tx, id);
  if (most.instances <= 1 || most.bytes <= DESIRED_BYTES_MAX) return true;
  const node = present(await tx.nodes.get(id), "node", id);
  const { instances } = await desiredNode(tx, catalog, node);
  return jsonBytes(instances) <= DESIRED_BYTES_MAX;
}

/** Of these as JSON; user data is base64, which stays as it is there, so it need not be read. */
function jsonBytes(all: readonly Pick<DesiredInstance, "userData">[]): number {
  const bare = JSON.stringify(all.map((one) => ({ ...one, userData: "" })));
  return all.reduce((sum, { userData }) => sum + userData.length, Buffer.byteLength(bare));
}

/** Of a GPU's id, and of an attachment with its NIC's, at most; of all that has a fixed length. */
const GPU_BYTES = 256;
const ATTACHMENT_BYTES = 1024;
const FIXED_BYTES = 256;

/** An instance that may come to a node; without `instance` nothing but its shape is known. */
export interface Newcomer {
  readonly instance: Pick<Instance, "account" | "spec"> | undefined;
  readonly gpuCount: number;
  readonly attachmentCount: number;
}

export interface Newcomers {
  readonly nodeId: NodeId;
  readonly each: Newcomer;
  readonly wanted: number;
  /** An instance that is thought away. */
  readonly without?: InstanceId | undefined;
  /** Bytes that others, not written anywhere, would take. */
  readonly taken?: number;
}

/** Bytes that one takes at most, without what only its instance says. */
export function shapeBytes({ gpuCount, attachmentCount }: Newcomer): number {
  return FIXED_BYTES + gpuCount * GPU_BYTES + attachmentCount * ATTACHMENT_BYTES;
}

/** How many of them, up to `wanted`, the node's desired state has room for beside what it has. */
export async function messageRoom(
  tx: ReadTx,
  { store, catalog }: Pick<ServiceContext, "store" | "catalog">,
  { nodeId, each, wanted, without, taken = 0 }: Newcomers,
): Promise<number> {
  const most = await boundsOf(store).ofNode(tx, nodeId, without);
  if (wanted === 1 && most.instances === 0 && taken === 0) return wanted;
  const { instance, attachmentCount } = each;
  const bound = instance ? mostBytesOf(instance.spec, attachmentCount > 0) : shapeBytes(each);
  if (most.bytes + taken + wanted * bound <= DESIRED_BYTES_MAX) return wanted;
  const least = most.least + taken + (instance ? leastBytesOf(instance.spec) : 0);
  if (least > DESIRED_BYTES_MAX) return 0;
  const node = most.instances > 0 ? await tx.nodes.get(nodeId) : undefined;
  const there = node ? (await desiredNode(tx, catalog, node)).instances : [];
  const others = there.filter(({ instanceId }) => instanceId !== without);
  const left = DESIRED_BYTES_MAX - taken - jsonBytes(others);
  const alone = others.length === 0 && taken === 0 ? 1 : 0;
  const room = Math.floor(left / (await bytesOf(tx, catalog, each)));
  return Math.max(alone, Math.min(wanted, room));
}

/** Bytes that one takes at most, wherever it is placed. */
export async function bytesOf(tx: ReadTx, catalog: Catalog, each: Newcomer): Promise<number> {
  const { instance } = each;
  const own = instance && (await ownSide(tx, catalog, instance));
  return shapeBytes(each) + (own ? jsonBytes([own]) : 0);
}

/** Digest that each of the node's instances must be read back with, by instance id. */
export function intendedDigests(desired: DesiredNode): ReadonlyMap<string, string> {
  return new Map(
    desired.instances.map((instance) => [
      instance.instanceId,
      factsDigest(intendedFacts(instance)),
    ]),
  );
}

/** Digest that the whole node must be read back with. */
export function intendedNodeDigest(desired: DesiredNode): string {
  const partitions = (desired.partitions ?? []).map(({ pkey, members }): [string, string] => [
    partitionKey(pkey),
    partitionDigest({ pkey, members, others: [] }),
  ]);
  return nodeDigest(new Map([...intendedDigests(desired), ...partitions]));
}

interface Placed {
  readonly instance: Instance;
  readonly placement: InstancePlacement;
  readonly hardware: HardwareKind;
}

async function desiredInstance(
  tx: ReadTx,
  catalog: Catalog,
  { instance, placement, hardware }: Placed,
): Promise<DesiredInstance> {
  const { id, name, bootCount } = instance;
  const profile = await tx.profiles.instance(instance.profile);
  const claim = present(await tx.claims.ofInstance(id), "claim", id);
  return {
    instanceId: id,
    name,
    bootCount,
    vcpu: claim.vcpu,
    memoryMib: claim.memoryMib,
    gpus: placement.pairs.map(({ gpu }) => gpu),
    attachments: await desiredAttachments(tx, {
      instance,
      placement,
      claim,
      speedGbps: hardware.nics.speedGbps,
      layout: profile?.attachmentLayout ?? "blocked",
    }),
    ...(await ownSide(tx, catalog, instance)),
  };
}

/** What does not depend on where the instance is. */
async function ownSide(
  tx: ReadTx,
  catalog: Catalog,
  { spec, account }: Pick<Instance, "account" | "spec">,
): Promise<
  Pick<
    DesiredInstance,
    "image" | "volumes" | "vpcNics" | "metadataService" | "userData" | "sshKeys"
  >
> {
  const get = async <K extends CatalogKind>(kind: K, itemId: string) =>
    present(await catalog.get(tx, account, { kind, id: itemId }), kind, itemId);
  const image = await get("image", spec.imageId);
  const volumes = await all(spec.volumeIds, (volume) => get("volume", volume));
  const keys = await all(spec.keyIds, (key) => get("key", key));
  const nics = [spec.primaryNetworkAttachment, ...spec.networkAttachments];
  return {
    image: imageOf(image),
    volumes: [
      ...(spec.bootVolume ? [{ ...volumeOf(spec.bootVolume), boot: true }] : []),
      ...volumes.map((volume) => ({ ...volumeOf(volume), boot: false })),
    ],
    vpcNics: nics.map(({ subnetId, mac }) => ({ subnetId, mac })),
    metadataService: spec.metadataService,
    userData: spec.userData,
    sshKeys: keys.map(({ publicKey }) => publicKey),
  };
}

interface Attaching {
  readonly instance: Instance;
  readonly placement: InstancePlacement;
  readonly claim: Claim;
  readonly speedGbps: number;
  readonly layout: "blocked" | "strided";
}

async function desiredAttachments(
  tx: ReadTx,
  of: Attaching,
): Promise<readonly DesiredAttachment[]> {
  const rows = await tx.everyone.attachments.ofInstance(of.instance.id);
  const lands = landings({
    count: rows.length,
    pairs: of.placement.pairs.length,
    nicSpeedGbps: of.speedGbps,
    layout: of.layout,
  });
  return all(rows, async (row, position) => {
    const { pair, rateMbps } = present(lands[position], "landing", row.id);
    const { rail } = present(of.placement.pairs[pair], "pair", row.id);
    const vf = present(
      of.claim.vfs.find(({ attachmentId }) => attachmentId === row.id),
      "VF",
      row.id,
    );
    const where = { attachmentId: row.id, position, rail, pair, nic: vf.nic, vf: vf.vf, rateMbps };
    return { ...where, ...(await networkSide(tx, row)) };
  });
}

async function networkSide(
  tx: ReadTx,
  row: Attachment,
): Promise<
  Pick<DesiredAttachment, "mac" | "address" | "isolation" | "mtu" | "spoofCheck"> &
    Partial<Pick<DesiredAttachment, "rateMbps">>
> {
  const { interfaces, reservedIps, subnets, clusterNetworks } = tx.everyone;
  const iface = present(await interfaces.get(row.interfaceId), "interface", row.interfaceId);
  const ip = present(await reservedIps.get(iface.primaryIpId), "reserved IP", iface.primaryIpId);
  const subnet = present(await subnets.get(iface.subnetId), "subnet", iface.subnetId);
  const networkId = row.clusterNetworkId;
  const network = present(await clusterNetworks.get(networkId), "cluster network", networkId);
  const profile = await tx.profiles.clusterNetwork(network.profile);
  const onFabric = network.isolation.kind === "pkey";
  return {
    mac: iface.mac,
    address: `${formatIpv4(ip.address)}/${subnet.cidr.prefix}`,
    isolation: network.isolation,
    mtu: present(profile, "cluster network profile", network.profile).mtu,
    // The hardware fills in a port's own address, and its speed is the fabric's to limit.
    spoofCheck: onFabric || !iface.allowIpSpoofing,
    ...(onFabric && { rateMbps: 0 }),
  };
}

function imageOf(image: Extract<CatalogItem, { kind: "image" }>): DesiredInstance["image"] {
  const { id, path, sha256, sizeBytes } = image;
  return { id, path, sha256, sizeBytes };
}

function volumeOf(volume: { readonly id: string; readonly capacityGib: number }) {
  return { id: volume.id, capacityGib: volume.capacityGib };
}

/** One after the other: a transaction answers one question at a time. */
async function all<T, R>(
  items: readonly T[],
  fn: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const out: R[] = [];
  for (const [index, item] of items.entries()) out.push(await fn(item, index));
  return out;
}

function present<T>(value: T | undefined, what: string, id: string): T {
  if (value === undefined) throw bug(`${what} ${id} of a placed instance is missing`);
  return value;
}
