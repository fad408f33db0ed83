// What is taken is given back exactly: addresses, names, MACs, quotas, isolation ids; what rests
// first, and what goes with what.
import { deleteNetwork } from "@railyard/controller/service/cluster-network";
import type { ServiceContext } from "@railyard/controller/service/context";
import { deleteInstance, updateInstance } from "@railyard/controller/service/instance";
import type { AttachmentWish } from "@railyard/controller/service/instance-attachments";
import {
  createInterface,
  deleteInterface,
  getInterface,
  listInterfaces,
  updateInterface,
} from "@railyard/controller/service/interface";
import {
  createReservedIp,
  deleteReservedIp,
  getReservedIp,
  listReservedIps,
  updateReservedIp,
} from "@railyard/controller/service/reserved-ip";
import { createSubnet, getSubnet } from "@railyard/controller/service/subnet";
import { formatIpv4 } from "@railyard/lib/address";
import type { ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import { seededRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import {
  ALICE,
  addNode,
  instance,
  instanceWish,
  QUARANTINE_MS,
  type Rig,
  refusal,
  rig,
  seenGone,
} from "./rig.js";

const fresh = { kind: "new", address: "", name: "", autoDelete: true } as const;

interface Place {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
}

async function place(made: Rig): Promise<Place> {
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  return { clusterNetworkId, subnetId };
}

/** Free addresses as said, after checking that they are what the reserved IPs leave over. */
async function available({ ctx, read }: Rig, { clusterNetworkId, subnetId }: Place) {
  const { availableCount } = await getSubnet(ctx, read(), { clusterNetworkId, id: subnetId });
  const query = { clusterNetworkId, filter: { subnetId }, limit: 1 };
  expect(availableCount).toBe(256 - (await listReservedIps(ctx, read(), query)).total);
  return availableCount;
}

/** A context in which chance gives the same to every call. */
function unlucky(ctx: ServiceContext): ServiceContext {
  const bytes = (count: number) => seededRng("unlucky").bytes(count);
  const rng = { bytes, int: () => 0, fork: () => rng };
  return { ...ctx, rng };
}

test("available counts stay exact through creates, refusals, deletes and cascades", async () => {
  const made = await rig();
  const { ctx, call } = made;
  const where = await place(made);
  expect(await available(made, where)).toBe(251);
  const ip = { ...where, address: "10.0.0.9", name: "mine" };
  const { reservedIp } = await createReservedIp(ctx, call(), ip);
  expect(await available(made, where)).toBe(250);
  const taken = await refusal(createReservedIp(ctx, call(), { ...ip, name: "other" }));
  expect(taken).toMatchObject({
    ...{ code: "exists", reason: "ADDRESS_TAKEN" },
    parts: { resource: { type: "cluster_network_subnet_reserved_ip", id: reservedIp.id } },
  });
  expect(await available(made, where)).toBe(250);
  const row = await instance(made, instanceWish(where.subnetId, { count: 16 }));
  expect(await available(made, where)).toBe(234);
  await deleteInstance(ctx, call(), { id: row.id, etag: "" });
  expect(await available(made, where)).toBe(234);
  await seenGone(made, row.id);
  expect(await available(made, where)).toBe(250);
  await deleteReservedIp(ctx, call(), { ...where, id: reservedIp.id, etag: "" });
  expect(await available(made, where)).toBe(251);
});

test("the provider's five addresses can be neither taken, bound, changed nor deleted", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const where = await place(made);
  const filter = { subnetId: where.subnetId };
  const { clusterNetworkId } = where;
  const page = await listReservedIps(ctx, read(), { clusterNetworkId, filter, limit: 9 });
  const rows = page.rows.map((view) => view.reservedIp);
  const addresses = rows.map((row) => formatIpv4(row.address)).sort();
  expect(addresses).toEqual(["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.255", "10.0.0.3"]);
  for (const { id, address } of rows) {
    const path = { ...where, id, etag: "" };
    const change = { ...path, mask: ["name"], name: "x", autoDelete: false };
    const primaryIp = { kind: "existing", id } as const;
    const nic = { ...where, primaryIp, name: "", allowIpSpoofing: false };
    const again = { ...where, address: formatIpv4(address), name: "" };
    const reasons = [
      (await refusal(deleteReservedIp(ctx, call(), path))).reason,
      (await refusal(updateReservedIp(ctx, call(), change))).reason,
      (await refusal(createInterface(ctx, call(), nic))).reason,
      (await refusal(createReservedIp(ctx, call(), again))).reason,
    ];
    const owned = "RESERVED_IP_PROVIDER_OWNED";
    expect(reasons).toEqual([owned, owned, owned, "ADDRESS_TAKEN"]);
  }
});

test("auto_delete decides what goes with an instance and what stays, free again", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const where = await place(made);
  const { clusterNetworkId, subnetId } = where;
  const kept = await createReservedIp(ctx, call(), { ...where, address: "", name: "kept" });
  const nic = async (name: string, primaryIp: Parameters<typeof createInterface>[2]["primaryIp"]) =>
    (await createInterface(ctx, call(), { ...where, primaryIp, name, allowIpSpoofing: false })).row;
  const stays = await nic("stays", fresh);
  const goes = await nic("goes", { kind: "existing", id: kept.reservedIp.id });
  const wish = { subnetId, primaryIp: fresh, name: "prototype", allowIpSpoofing: false };
  const list: AttachmentWish[] = [
    ...instanceWish(subnetId, { count: 5 }).clusterNetworkAttachments,
    { name: "", bound: { kind: "interface", id: stays.id } },
    { name: "", bound: { kind: "interface", id: goes.id } },
    { name: "", bound: { kind: "new", wish: { ...wish, autoDelete: false } } },
  ];
  const row = await instance(made, instanceWish(subnetId, { clusterNetworkAttachments: list }));
  const bound = { clusterNetworkId, id: goes.id, etag: "", name: "", allowIpSpoofing: false };
  await updateInterface(ctx, call(), { ...bound, mask: ["auto_delete"], autoDelete: true });
  await deleteInstance(ctx, call(), { id: row.id, etag: "" });
  await seenGone(made, row.id);
  const left = await listInterfaces(ctx, read(), { filter: { clusterNetworkId }, limit: 20 });
  expect(left.rows.map(({ row: r }) => [r.name, r.targetId, r.autoDelete]).sort()).toEqual([
    ["prototype", undefined, false],
    ["stays", undefined, false],
  ]);
  const ip = await getReservedIp(ctx, read(), { ...where, id: kept.reservedIp.id });
  expect([ip.reservedIp.targetId, ip.reservedIp.autoDelete]).toEqual([undefined, false]);
  expect(await available(made, where)).toBe(251 - 3);
});

test("a MAC at rest is drawn again only after its quarantine", async () => {
  const made = await rig();
  const { call, read } = made;
  const ctx = unlucky(made.ctx);
  const where = await place(made);
  const { clusterNetworkId } = where;
  const wish = { ...where, primaryIp: fresh, name: "", allowIpSpoofing: false };
  const drawn = async () => {
    const { row } = await createInterface(ctx, call(), wish);
    const path = { clusterNetworkId, id: row.id };
    expect((await getInterface(ctx, read(), path)).row.mac).toBe(row.mac);
    await deleteInterface(ctx, call(), { ...path, etag: "" });
    return row.mac;
  };
  const [first, second] = [await drawn(), await drawn()];
  expect(second).not.toBe(first);
  await made.write((tx) => tx.expire(made.clock.now() + QUARANTINE_MS));
  expect(await drawn()).toBe(first);
});

test("a cascade gives back every quota, address and id, but never an instance", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const where = await place(made);
  const { clusterNetworkId: id, subnetId } = where;
  const kept = await createReservedIp(ctx, call(), { ...where, address: "", name: "" });
  const primaryIp = { kind: "existing", id: kept.reservedIp.id } as const;
  const nic = { ...where, primaryIp, name: "", allowIpSpoofing: false };
  await createInterface(ctx, call(), nic);
  await createInterface(ctx, call(), { ...nic, primaryIp: fresh });
  const row = await instance(made, instanceWish(subnetId));
  const cascade = { id, etag: "", cascade: true };
  const refused = await refusal(deleteNetwork(ctx, call(), cascade));
  expect(refused.parts.holders).toEqual([{ type: "instance", id: row.id }]);
  await deleteInstance(ctx, call(), { id: row.id, etag: "" });
  await seenGone(made, row.id);
  await deleteNetwork(ctx, call(), cascade);
  await made.write(async (tx) => {
    const { quotas } = tx.account(ALICE);
    // More than nothing cannot be given back where nothing is taken.
    for (const subject of ["cluster-networks", "reserved-ips", "instances"] as const) {
      await expect(quotas.giveBack(subject, 1)).rejects.toThrow("given back");
    }
    await expect(quotas.giveBack("subnets-per-network", 1, id)).rejects.toThrow("given back");
    expect(await tx.isolation.free("pc-secret-a" as never)).toBe(9);
  });
  expect(
    (await refusal(getReservedIp(ctx, read(), { ...where, id: kept.reservedIp.id }))).code,
  ).toBe("notFound");
});

test("a network in which an instance resides stays where it is", async () => {
  const made = await rig({ nodes: 0 });
  const where = await place(made);
  expect((await instance(made, instanceWish(where.subnetId))).status).toBe("failed");
  await addNode(made, "node-b", "pc-secret-b");
  expect((await instance(made, instanceWish(where.subnetId))).status).toBe("failed");
  await made.write(async (tx) => {
    const network = await tx.everyone.clusterNetworks.get(where.clusterNetworkId);
    expect(network?.physicalClusterId).toBe("pc-secret-a");
  });
});

test("a subnet's 33rd sibling is over the quota", async () => {
  const made = await rig();
  const { networkId: clusterNetworkId } = await made.network();
  const range = { kind: "count", count: 8 } as const;
  const wish = { clusterNetworkId, name: "", range, rail: undefined };
  for (let i = 1; i < 32; i++) await createSubnet(made.ctx, made.call(), wish);
  const error = await refusal(createSubnet(made.ctx, made.call(), wish));
  expect(error.parts.quota).toEqual({ subject: "subnets-per-network", limit: 32, used: 32 });
});

test("an update needs a mask, and one that changes nothing keeps the etag", async () => {
  const made = await rig();
  const { ctx, call } = made;
  const { subnetId } = await made.network();
  const { id, etag, name, profile, spec } = await instance(made, instanceWish(subnetId));
  const { metadataService, hostFailure } = spec;
  const input = { id, etag, name, profile, metadataService, hostFailure };
  const empty = await refusal(updateInstance(ctx, call(), { ...input, mask: [] }));
  expect(empty.parts.fields).toMatchObject([{ field: "update_mask" }]);
  const mask = ["name", "profile", "metadata_service", "availability_policy"];
  expect((await updateInstance(ctx, call(), { ...input, mask })).instance.etag).toBe(etag);
});
