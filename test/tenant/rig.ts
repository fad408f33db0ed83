// A small declared world for tests of tenants' use cases: the real store in memory, two zones'
// worth of catalog, healthy made-up nodes without agents. Calls go straight to the use cases.
import { encodeObject } from "@railyard/controller/api/watch-object";
import { storedCatalog } from "@railyard/controller/catalog/stored";
import type { CatalogItem } from "@railyard/controller/domain/catalog-item";
import type { Principal } from "@railyard/controller/domain/lifecycle";
import type { Node } from "@railyard/controller/domain/node";
import type { ClusterNetworkProfile, InstanceProfile } from "@railyard/controller/domain/profile";
import { createNetwork } from "@railyard/controller/service/cluster-network";
import type { Mutation, ServiceContext, TenantCall } from "@railyard/controller/service/context";
import { type CreateInstance, createInstance } from "@railyard/controller/service/instance-create";
import { finishLeaving } from "@railyard/controller/service/instance-leave";
import { runQueued } from "@railyard/controller/service/instance-queue";
import { Leases } from "@railyard/controller/service/leases";
import { createSubnet } from "@railyard/controller/service/subnet";
import { tenantTx } from "@railyard/controller/service/tenant";
import { objectEncoder } from "@railyard/controller/service/watch/objects";
import type { WriteTx } from "@railyard/controller/store/contract";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { ManualClock } from "@railyard/lib/clock";
import { RailyardError } from "@railyard/lib/errors";
import type {
  AccountId,
  ClusterNetworkId,
  InstanceId,
  NodeId,
  PhysicalClusterId,
  SessionId,
  SubnetId,
} from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";

export const ALICE = "acc-alice" as AccountId;
export const BOB = "acc-bob" as AccountId;
export const ZONE = "us-east-3";
export const WHOLE = "gx3d-160x1792x8h100";
export const H200 = "gx3d-160x1792x8h200";
const RAILS = 8;
const LEASE_MS = 3_600_000;
export const QUARANTINE_MS = 60_000;

export interface Rig {
  readonly ctx: ServiceContext;
  readonly clock: ManualClock;
  call<Value>(over?: CallOptions): Mutation<Value, Value>;
  read(account?: AccountId): TenantCall;
  write<T>(fn: (tx: WriteTx) => Promise<T>): Promise<T>;
  /** A network of ALICE with one subnet. */
  network(): Promise<{ readonly networkId: ClusterNetworkId; readonly subnetId: SubnetId }>;
}

export interface CallOptions {
  readonly account?: AccountId;
  readonly requestId?: string;
  readonly requestHash?: string;
  readonly validateOnly?: boolean;
}

/**
 * A rig with `nodes` H100 nodes in cluster `secret-a` and a bare cluster `secret-b` of the same
 * type.
 */
export async function rig(over: { nodes?: number; profile?: object } = {}): Promise<Rig> {
  const clock = new ManualClock();
  const log = silentLog();
  const onFatal = (err: unknown) => {
    throw err;
  };
  const catalog = storedCatalog();
  const encode = objectEncoder({ catalog }, encodeObject);
  const store = await openSqlite({ path: ":memory:", clock, log, onFatal, encode });
  const ctx: ServiceContext = {
    store,
    clock,
    rng: seededRng("tenant"),
    log,
    catalog,
    leases: new Leases(clock, LEASE_MS),
    nudgeRelay: () => undefined,
    nudgeEnrolment: () => undefined,
    settings: { region: "us-east", quarantineMs: QUARANTINE_MS },
  };
  const write = <T>(fn: (tx: WriteTx) => Promise<T>) =>
    store.write({ by: "system:test", method: "Test", at: clock.now() }, fn);
  await write((tx) => declare(tx, over.profile ?? {}));
  for (let i = 0; i < (over.nodes ?? 1); i++) await addNode({ ctx, write }, `node-${i}`);
  const made: Rig = { ctx, clock, call: mutation, read: tenant, write, network: () => net(made) };
  return made;
}

async function net(made: Rig) {
  const { network } = await createNetwork(made.ctx, made.call(), networkWish());
  const range = { kind: "count", count: 256 } as const;
  const wish = { clusterNetworkId: network.id, name: "", range, rail: undefined };
  const subnet = await createSubnet(made.ctx, made.call(), wish);
  return { networkId: network.id, subnetId: subnet.id };
}

export function networkWish(over: object = {}) {
  const base = { profile: "hopper-1", vpcId: "vpc-1", zone: ZONE, name: "" };
  return { ...base, prefix: undefined, resourceGroupId: "", ...over };
}

/** Eight attachments (or `count`) from the subnet, with everything else in order. */
export function instanceWish(
  subnetId: SubnetId,
  { count = RAILS, ...over }: Partial<CreateInstance> & { readonly count?: number } = {},
): CreateInstance {
  const fresh = { kind: "new", address: "", name: "", autoDelete: true } as const;
  const wish = { subnetId, primaryIp: fresh, name: "", autoDelete: true, allowIpSpoofing: false };
  return {
    name: "",
    zone: ZONE,
    profile: WHOLE,
    imageId: "img-1",
    primaryNetworkAttachment: { subnetId: "vsub-1", name: "" },
    networkAttachments: [],
    vpcId: "",
    bootVolumeId: "",
    volumeIds: [],
    keyIds: ["key-1"],
    userData: "#!/bin/sh",
    metadataService: { enabled: true, protocol: "http", hopLimit: 1 },
    hostFailure: "restart",
    placementTargetId: "",
    resourceGroupId: "",
    clusterNetworkAttachments: Array.from({ length: count }, () => ({
      name: "",
      bound: { kind: "new", wish },
    })),
    ...over,
  };
}

/** An instance of ALICE, created. */
export async function instance(made: Rig, wish: CreateInstance) {
  return (await createInstance(made.ctx, made.call(), wish)).instance;
}

/** What happens once the absence of a leaving instance was observed; refused for one that stays. */
export function seenGone(made: Rig, id: InstanceId): Promise<void> {
  return made.write(async (tx) => {
    const row = await tx.everyone.instances.get(id);
    if (!row) return;
    if (row.placement?.phase !== "leaving") throw new RailyardError("precondition", "it stays");
    const given = { at: made.clock.now(), rng: seededRng("gone"), quarantineMs: QUARANTINE_MS };
    const theirs = tenantTx(tx, row.account);
    const left = await finishLeaving(theirs, given, row);
    if (left) await runQueued(theirs, made.ctx, { given, instance: left });
  });
}

/** What a call was refused with. */
export async function refusal(promise: Promise<unknown>): Promise<RailyardError> {
  const outcome = await promise.then(
    () => undefined,
    (err: unknown) => err,
  );
  if (outcome instanceof RailyardError) return outcome;
  throw new Error("the call was not refused", { cause: outcome });
}

/** The fields that a refusal names. */
export function fieldsOf(error: RailyardError): string[] {
  return (error.parts.fields ?? []).map(({ field }) => field);
}

function principal(account: AccountId): Principal {
  return { id: `tok-${account}`, account, roles: ["tenant-admin"] };
}

function tenant(account = ALICE): TenantCall {
  return { principal: principal(account), account };
}

function mutation<Value>(over: CallOptions = {}): Mutation<Value, Value> {
  const { account = ALICE, requestId, requestHash = "hash", validateOnly = false } = over;
  return {
    principal: principal(account),
    method: "Test",
    requestId,
    requestHash,
    validateOnly,
    answer: (value) => value,
    encode: () => new Uint8Array([1]),
    decode: () => "the first answer" as Value,
  };
}

async function declare(tx: WriteTx, profile: object): Promise<void> {
  await tx.zones.put({ name: ZONE });
  await tx.zones.put({ name: "us-east-1" });
  await tx.hardware.put({
    ...{ name: "hgx-h100", vcpu: 200, memoryGib: 2048, diskGib: 10_000 },
    gpus: { count: RAILS, pci: "10de:2330", model: "H100" },
    nics: { count: RAILS, pci: "15b3:1021", ports: 2, speedGbps: 400, vfs: 16 },
    ...{ pairing: "pcie-switch", iommu: "strict", lab: false },
  });
  for (const [name, min] of Object.entries({ "secret-a": 100, "secret-b": 200 })) {
    await tx.physicalClusters.insert({
      id: `pc-${name}` as PhysicalClusterId,
      ...{ name, type: "hopper-roce", zone: ZONE, leafGroups: [], enabled: true },
      isolation: { kind: "vlan", min, max: min + 9 },
    });
  }
  const createdAt = Date.UTC(2026, 0, 1);
  await tx.profiles.putClusterNetwork({ ...networkProfile(), createdAt, ...profile });
  await tx.profiles.putInstance({ ...instanceProfile(WHOLE, "H100"), createdAt });
  await tx.profiles.putInstance({ ...instanceProfile(H200, "H200"), createdAt });
  for (const item of catalog()) await tx.catalog.put(item);
}

function networkProfile(): ClusterNetworkProfile {
  return {
    name: "hopper-1",
    family: "hopper",
    clusterTypes: ["hopper-roce"],
    fabric: "roce",
    rails: RAILS,
    speedGbps: 400,
    mtu: 9000,
    railAlignment: "preferred",
    minRails: RAILS,
    onRailDown: "keep",
    subnetRouting: true,
    isolationKind: "vlan",
    instanceProfiles: [WHOLE],
  };
}

function instanceProfile(name: string, model: string): InstanceProfile {
  return {
    ...{ name, family: "gpu", vcpu: 160, memoryGib: 1792, numaCount: 2, bandwidthMbps: 200_000 },
    gpu: { manufacturer: "NVIDIA", model, count: RAILS, memoryGib: 80 },
    diskGib: 0,
    attachments: { kind: "enum", values: [8, 16, 32], default: 8 },
    attachmentLayout: "blocked",
  };
}

function catalog(): readonly CatalogItem[] {
  const all = { account: undefined };
  const key = { kind: "key", id: "key-1", name: "key-one", publicKey: "ssh-ed25519 A" } as const;
  const volume = { kind: "volume", zone: ZONE, capacityGib: 100 } as const;
  return [
    { ...all, kind: "image", id: "img-1", name: "img", path: "/i", sha256: "ab", sizeBytes: 1 },
    { account: ALICE, ...key },
    { account: ALICE, kind: "vpc", id: "vpc-1", name: "vpc-one" },
    { account: ALICE, kind: "vpc", id: "vpc-2", name: "vpc-two" },
    { ...all, kind: "vpcSubnet", id: "vsub-1", name: "vs-one", vpcId: "vpc-1", zone: ZONE },
    { ...all, kind: "vpcSubnet", id: "vsub-2", name: "vs-two", vpcId: "vpc-2", zone: ZONE },
    { account: ALICE, ...volume, id: "vol-1", name: "data" },
    { account: ALICE, ...volume, id: "vol-2", name: "boot" },
  ];
}

/** Adds one healthy H100 node to cluster `cluster`. */
export async function addNode(
  { ctx, write }: Pick<Rig, "ctx" | "write">,
  id: string,
  cluster = "pc-secret-a",
): Promise<void> {
  const node: Node = {
    id: id as NodeId,
    name: `secret-${id}`,
    serial: id,
    zone: ZONE,
    physicalClusterId: cluster as PhysicalClusterId,
    leafGroup: "su1",
    hardware: "hgx-h100",
    cabling: [],
    ...{ retired: false, cordoned: false, cordonReason: "" },
    publicKey: "U",
    incarnation: 1,
    session: `ses-${id}` as SessionId,
    superseded: [],
    bootId: "boot",
    agentVersion: "1",
    fake: true,
    inventory: {
      ...{ numaCount: 2, vcpu: 200, memoryMib: 2048 * 1024, diskGib: 10_000 },
      ...{ gpus: [], nics: [], pairs: [], warnings: [] },
    },
    mismatches: [],
    pairs: Array.from({ length: RAILS }, (_, rail) => ({
      rail,
      gpu: `gpu-${rail}`,
      nic: `nic-${rail}`,
      healthy: true,
    })),
    flags: [],
    generation: 0n,
    acceptedGeneration: 0n,
    appliedGeneration: 0n,
    registeredAt: ctx.clock.now(),
  };
  await write(async (tx) => {
    await tx.nodes.insert(node);
    const limits = { vcpu: 200, memoryMib: 2048 * 1024, diskGib: 10_000 };
    await tx.claims.setLimits(node.id, limits);
  });
  const pulse = { epoch: 1n, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" };
  ctx.leases.beat(node.id, { session: `ses-${id}`, ...pulse });
}
