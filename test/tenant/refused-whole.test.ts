// Refusals name every bad field and blame no other; and whatever is refused, or only validated,
// leaves nothing behind.
import {
  createNetwork,
  deleteNetwork,
  listNetworks,
  updateNetwork,
} from "@railyard/controller/service/cluster-network";
import { deleteInstance, stopInstance } from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { startInstance } from "@railyard/controller/service/instance-start";
import { createInterface, deleteInterface } from "@railyard/controller/service/interface";
import { createReservedIp, deleteReservedIp } from "@railyard/controller/service/reserved-ip";
import { createSubnet, deleteSubnet, getSubnet } from "@railyard/controller/service/subnet";
import { expect, test } from "vitest";
import { fieldsOf, instance, instanceWish, networkWish, refusal, rig, WHOLE } from "./rig.js";

const fresh = { kind: "new", address: "", name: "", autoDelete: true } as const;
const ATTACHMENTS = "template.cluster_network_attachments";

test("an unknown zone is the only thing blamed, and is not found", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const wish = instanceWish(subnetId, { zone: "mars", bootVolumeId: "vol-2" });
  const error = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(error.code).toBe("notFound");
  expect(fieldsOf(error)).toEqual(["template.zone"]);
});

test("an unknown VPC, or an unknown primary subnet, is the only thing blamed", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const fieldsFor = async (over: object) =>
    fieldsOf(await refusal(createInstance(made.ctx, made.call(), instanceWish(subnetId, over))));
  expect(await fieldsFor({ vpcId: "vpc-9" })).toEqual(["template.vpc_id"]);
  const unknown = { primaryNetworkAttachment: { subnetId: "vsub-9", name: "" } };
  expect(await fieldsFor(unknown)).toEqual(["template.primary_network_attachment.subnet_id"]);
});

test("faults of template, attachments, networks and rails are all named at once", async () => {
  const made = await rig({ profile: { railAlignment: "required" } });
  const { subnetId, networkId: clusterNetworkId } = await made.network();
  const other = await made.network();
  const range = { kind: "count", count: 16 } as const;
  const rail = { clusterNetworkId, name: "", range, rail: 3 };
  const rail3 = await createSubnet(made.ctx, made.call(), rail);
  const from = (subnet: typeof subnetId) => instanceWish(subnet).clusterNetworkAttachments[0];
  const list = instanceWish(subnetId).clusterNetworkAttachments.map((plain, i) => {
    if (i === 1) return { name: "ibm-x", bound: plain.bound };
    if (i === 2) return from(other.subnetId) ?? plain;
    if (i === 4) return { name: "", bound: undefined };
    return i === 5 ? (from(rail3.id) ?? plain) : plain;
  });
  const wish = instanceWish(subnetId, {
    ...{ clusterNetworkAttachments: list, imageId: "img-9", volumeIds: ["vol-1", "vol-1"] },
    networkAttachments: [{ subnetId: "vsub-2", name: "" }],
  });
  const error = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(error.code).toBe("invalid");
  expect(fieldsOf(error).sort()).toEqual([
    ...[1, 2, 4, 5].map((i) => `${ATTACHMENTS}[${i}]${i === 1 ? ".name" : ""}`),
    "template.image_id",
    "template.network_attachments[0].subnet_id",
    "template.volume_ids[1]",
  ]);
});

test("with an unknown profile the attachments are still judged", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const other = await made.network();
  const [stray] = instanceWish(other.subnetId).clusterNetworkAttachments;
  const list = instanceWish(subnetId, { count: 7 }).clusterNetworkAttachments;
  const wish = { profile: "nope", clusterNetworkAttachments: stray ? [...list, stray] : list };
  const error = await refusal(createInstance(made.ctx, made.call(), instanceWish(subnetId, wish)));
  expect(fieldsOf(error)).toEqual(["template.profile", `${ATTACHMENTS}[7]`]);
});

test("user data is limited in bytes, not in characters", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const attempt = (userData: string) =>
    createInstance(made.ctx, made.call(), instanceWish(subnetId, { userData }));
  const error = await refusal(attempt("é".repeat(32 * 1024 + 1)));
  expect(fieldsOf(error)).toEqual(["template.user_data"]);
  expect((await attempt("é".repeat(32 * 1024))).instance.status).toBe("starting");
});

test("an instance whose addresses run out halfway leaves nothing behind", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { networkId: clusterNetworkId } = await made.network();
  const range = { kind: "count", count: 8 } as const;
  const small = { clusterNetworkId, name: "", range, rail: undefined };
  const { id } = await createSubnet(ctx, call(), small);
  const before = await ctx.store.revision();
  const error = await refusal(createInstance(ctx, call(), instanceWish(id)));
  expect(error).toMatchObject({ code: "exhausted", reason: "ADDRESSES_EXHAUSTED" });
  expect(await ctx.store.revision()).toBe(before);
  expect((await getSubnet(ctx, read(), { clusterNetworkId, id })).availableCount).toBe(3);
  await made.write(async (tx) => expect(await tx.claims.all()).toEqual([]));
});

test("validate_only writes nothing, whatever the call", async () => {
  const made = await rig();
  const { ctx, call } = made;
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  const place = { clusterNetworkId, subnetId };
  const ip = await createReservedIp(ctx, call(), { ...place, address: "", name: "" });
  const nicWish = { ...place, primaryIp: fresh, name: "", allowIpSpoofing: false };
  const nic = await createInterface(ctx, call(), nicWish);
  const running = await instance(made, instanceWish(subnetId));
  const failed = await instance(made, instanceWish(subnetId));
  const before = await ctx.store.revision();
  const only = () => call<never>({ validateOnly: true, requestId: crypto.randomUUID() });
  const range = { kind: "count", count: 16 } as const;
  await createNetwork(ctx, only(), networkWish());
  const rename = { id: clusterNetworkId, etag: "", mask: ["name"], name: "renamed" };
  await updateNetwork(ctx, only(), rename);
  await createSubnet(ctx, only(), { clusterNetworkId, name: "", range, rail: undefined });
  await createReservedIp(ctx, only(), { ...place, address: "", name: "" });
  await deleteReservedIp(ctx, only(), { ...place, id: ip.reservedIp.id, etag: "" });
  await createInterface(ctx, only(), nicWish);
  await deleteInterface(ctx, only(), { clusterNetworkId, id: nic.row.id, etag: "" });
  await createInstance(ctx, only(), instanceWish(subnetId));
  await startInstance(ctx, only(), { id: failed.id, etag: "" });
  await stopInstance(ctx, only(), { id: running.id, etag: "" });
  await deleteInstance(ctx, only(), { id: running.id, etag: "" });
  await deleteInstance(ctx, only(), { id: failed.id, etag: "" });
  expect(await ctx.store.revision()).toBe(before);
  const inUse = { clusterNetworkId, id: subnetId, etag: "" };
  expect((await refusal(deleteSubnet(ctx, only(), inUse))).code).toBe("precondition");
  const resident = { id: clusterNetworkId, etag: "", cascade: true };
  expect((await refusal(deleteNetwork(ctx, only(), resident))).parts.holders).toEqual(
    expect.arrayContaining([{ type: "instance", id: running.id }]),
  );
});

test("of two creates with one name at the same time, one is told that it is taken", async () => {
  const { ctx, call, read } = await rig();
  const create = () => createNetwork(ctx, call(), networkWish({ name: "mine" }));
  const outcomes = await Promise.allSettled([create(), create()]);
  const [lost, ...more] = outcomes.flatMap((o) => (o.status === "rejected" ? [o.reason] : []));
  expect(more).toEqual([]);
  expect(lost).toMatchObject({ code: "exists", reason: "NAME_TAKEN" });
  expect((await listNetworks(ctx, read(), { filter: {}, limit: 5 })).total).toBe(1);
});

test("the same request id at the same time makes one object", async () => {
  const { ctx, call, read } = await rig();
  const requestId = "22222222-2222-2222-2222-222222222222";
  const create = () => createNetwork(ctx, call({ requestId }), networkWish());
  await Promise.all([create(), create(), create()]);
  expect((await listNetworks(ctx, read(), { filter: {}, limit: 5 })).total).toBe(1);
});

test("a refused create leaves its request id free", async () => {
  const { ctx, call } = await rig();
  const requestId = "33333333-3333-3333-3333-333333333333";
  const attempt = (profile: string) =>
    createNetwork(ctx, call({ requestId, requestHash: profile }), networkWish({ profile }));
  expect((await refusal(attempt("nope"))).code).toBe("notFound");
  expect((await attempt("hopper-1")).network.profile).toBe("hopper-1");
});

test("the count that an instance profile permits is said for one that takes none", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  await made.write(async (tx) => {
    const profile = await tx.profiles.instance(WHOLE);
    if (profile)
      await tx.profiles.putInstance({ ...profile, name: "plain", attachments: undefined });
  });
  const wish = instanceWish(subnetId, { profile: "plain" });
  const error = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(error.message).toContain("permitted: 0");
  expect(fieldsOf(error).sort()).toEqual([ATTACHMENTS, "template.profile"]);
});
