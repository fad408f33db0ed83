// Attachments of an instance that exists: when they may change, what is refused, what is given
// back.
import { createNetwork } from "@railyard/controller/service/cluster-network";
import { deleteInstance, getInstance } from "@railyard/controller/service/instance";
import { startInstance } from "@railyard/controller/service/instance-start";
import { createInterface, getInterface } from "@railyard/controller/service/interface";
import { createSubnet } from "@railyard/controller/service/subnet";
import type { AttachmentId, SubnetId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { Attachments, fresh, stoppedWith } from "./attachment-rig.js";
import { fieldsOf, instance, instanceWish, networkWish, refusal, rig, seenGone } from "./rig.js";

const CONFLICT = { code: "precondition", reason: "INSTANCE_STATUS_CONFLICT" };

async function rowOf({ made, instanceId }: Attachments) {
  return (await getInstance(made.ctx, made.read(), instanceId)).instance;
}

async function someInterface({ made, subnetId }: Attachments) {
  const views = await made.write((tx) => tx.everyone.subnets.get(subnetId));
  const clusterNetworkId = views?.clusterNetworkId as never;
  const primaryIp = { kind: "new", address: "", name: "", autoDelete: true } as const;
  const wish = { clusterNetworkId, subnetId, primaryIp, name: "", allowIpSpoofing: false };
  return (await createInterface(made.ctx, made.call(), wish)).row;
}

test("an existing interface goes ahead of another attachment, and is bound", async () => {
  const real = await stoppedWith(8);
  const [first, second] = await real.ids();
  const row = await someInterface(real);
  const wishes = [{ name: "mine", bound: { kind: "interface", id: row.id } as const }];
  const [made] = await real.create({ wishes, before: second });
  expect(made?.attachment).toMatchObject({ name: "mine", position: 1, interfaceId: row.id });
  expect(made?.next?.id).toBe(second);
  expect((await real.ids()).slice(0, 3)).toEqual([first, made?.attachment.id, second]);
  const { clusterNetworkId, id } = row;
  const bound = await getInterface(real.made.ctx, real.made.read(), { clusterNetworkId, id });
  expect(bound.row.targetId).toBe(made?.attachment.id);
  expect(
    await refusal(real.create({ wishes: [{ ...wishes[0], name: "" } as never] })),
  ).toMatchObject({
    reason: "INTERFACE_ALREADY_BOUND",
  });
});

test.each(["starting", "deleting"])("nothing changes while it is %s", async (status) => {
  const made = await rig();
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  if (status === "deleting") await deleteInstance(made.ctx, made.call(), { id, etag: "" });
  const real = new Attachments(made, id, subnetId);
  const [first, second] = await real.ids();
  const tried = [
    real.create(),
    real.move(second as AttachmentId, first),
    real.remove(first as AttachmentId),
  ];
  for (const call of tried) {
    const error = await refusal(call);
    expect(error).toMatchObject(CONFLICT);
    expect(error.parts.metadata).toEqual({ status, allowed: "stopped, stopping, failed" });
  }
  expect((await real.rename(first as AttachmentId, "renamed")).attachment.name).toBe("renamed");
});

test("any count is legal while stopped, only a permitted one starts", async () => {
  const real = await stoppedWith(8);
  const { made, instanceId, subnetId } = real;
  const start = () => startInstance(made.ctx, made.call(), { id: instanceId, etag: "" });
  const [first] = await real.ids();
  await real.remove(first as AttachmentId);
  expect((await real.views()).map(({ place }) => place)).toEqual(Array(7).fill(undefined));
  const error = await refusal(start());
  expect(error).toMatchObject({ code: "precondition", reason: "ATTACHMENT_COUNT_NOT_PERMITTED" });
  expect(error.parts.metadata).toEqual({ permitted: "0,8,16,32" });
  const wishes = Array.from({ length: 26 }, () => fresh(subnetId));
  const over = await refusal(real.create({ wishes }));
  expect(over).toMatchObject({ code: "precondition", reason: "ATTACHMENT_COUNT_NOT_PERMITTED" });
  await real.create({ wishes: wishes.slice(0, 25) });
  expect((await real.views()).map(({ place }) => place?.rail)).toEqual(
    Array.from({ length: 32 }, (_, p) => Math.floor(p / 4)),
  );
  expect((await start()).instance.status).toBe("starting");
});

test("while stopping a removal waits until the host was seen without it", async () => {
  const real = await stoppedWith(8, { leaving: true });
  const [first, second] = await real.ids();
  const [view] = await real.views();
  const gone = await real.remove(first as AttachmentId);
  const reasons = [{ code: "awaiting_absence" }];
  expect(gone.attachment).toMatchObject({ lifecycleState: "deleting", lifecycleReasons: reasons });
  expect((await real.remove(first as AttachmentId)).attachment).toEqual(gone.attachment);
  expect(await refusal(real.move(first as AttachmentId, undefined))).toMatchObject({
    reason: "ATTACHMENT_ORDER_INVALID",
  });
  const [added] = await real.create({ before: first });
  expect(await real.ids()).toEqual(expect.arrayContaining([added?.attachment.id]));
  const { id } = (await real.create())[0]?.attachment ?? {};
  expect((await real.remove(id as AttachmentId)).attachment.lifecycleState).toBe("deleting");
  expect(await real.ids()).toHaveLength(9);
  const held = () =>
    real.made.write((tx) => tx.everyone.interfaces.get(view?.interface.id as never));
  expect(await held()).toBeDefined();
  await seenGone(real.made, real.instanceId);
  expect(await held()).toBeUndefined();
  expect((await real.ids()).slice(0, 2)).toEqual([added?.attachment.id, second]);
  const views = await real.views();
  expect(views.map(({ attachment }) => attachment.position)).toEqual([...views.keys()]);
  expect(views).toHaveLength(8);
});

test("the last removal takes the instance out of its network", async () => {
  const real = await stoppedWith(8);
  const row = await rowOf(real);
  for (const id of await real.ids()) await real.remove(id);
  expect((await rowOf(real)).clusterNetworkId).toBeUndefined();
  expect((await rowOf(real)).etag).not.toBe(row.etag);
  const other = await createNetwork(real.made.ctx, real.made.call(), networkWish());
  const range = { kind: "count", count: 16 } as const;
  const wish = { clusterNetworkId: other.network.id, name: "", range, rail: undefined };
  const subnet = await createSubnet(real.made.ctx, real.made.call(), wish);
  await real.create({ wishes: [fresh(subnet.id)] });
  expect((await rowOf(real)).clusterNetworkId).toBe(other.network.id);
  const error = await refusal(real.create());
  expect(error).toMatchObject({ reason: "ATTACHMENT_CLUSTER_NETWORK_MISMATCH" });
});

test("every bad field of a batch is named at once, and nothing is written", async () => {
  const real = await stoppedWith(8);
  const before = await real.made.ctx.store.revision();
  const [first] = await real.views();
  const wishes = [
    fresh(real.subnetId, "ibm-x"),
    fresh("subnet-unknown" as SubnetId),
    fresh(real.subnetId, first?.attachment.name),
    { name: "", bound: undefined },
  ];
  const error = await refusal(real.create({ wishes, before: "att-x" as AttachmentId }));
  expect(fieldsOf(error).sort()).toEqual([
    "attachments[0].name",
    "attachments[1].new_interface.subnet_id",
    "attachments[2].name",
    "attachments[3]",
    "before_id",
  ]);
  expect(fieldsOf(await refusal(real.create({ wishes: [] })))).toEqual(["attachments"]);
  expect(await real.made.ctx.store.revision()).toBe(before);
});

test("nothing moves ahead of itself or of another instance's attachment", async () => {
  const real = await stoppedWith(8);
  const [first] = await real.ids();
  const self = await refusal(real.move(first as AttachmentId, first));
  expect(self).toMatchObject({ code: "invalid", reason: "ATTACHMENT_ORDER_INVALID" });
  const lost = await refusal(real.move(first as AttachmentId, "att-x" as AttachmentId));
  expect(lost).toMatchObject({ code: "notFound", reason: "ATTACHMENT_ORDER_INVALID" });
  expect([fieldsOf(self), fieldsOf(lost)]).toEqual([["before_id"], ["before_id"]]);
});

test("etags change with position, successor and name, and guard every change", async () => {
  const real = await stoppedWith(8);
  const etags = async () => (await real.views()).map(({ attachment }) => attachment.etag);
  const [a0, , , , , , , z0] = await etags();
  const ids = await real.ids();
  await real.create();
  const [a1, , , , , , , z1] = await etags();
  expect([a1 === a0, z1 === z0]).toEqual([true, false]);
  const first = ids[0] as AttachmentId;
  for (const act of [
    real.move(first, undefined, { etag: "0000000000000000" }),
    real.remove(first, "0000000000000000"),
    real.rename(first, "x", "0000000000000000"),
  ]) {
    expect(await refusal(act)).toMatchObject({ code: "conflict", reason: "ETAG_MISMATCH" });
  }
  expect((await real.rename(first, "x", a1)).attachment.etag).not.toBe(a1);
  expect(await refusal(real.rename(ids[1] as AttachmentId, "x"))).toMatchObject({
    reason: "NAME_TAKEN",
  });
});

test("a dry run writes nothing, and a repeated request adds once", async () => {
  const real = await stoppedWith(8);
  const before = await real.made.ctx.store.revision();
  const [last] = (await real.ids()).slice(-1);
  await real.create({}, { validateOnly: true });
  await real.move(last as AttachmentId, undefined, { validateOnly: true });
  await real.remove(last as AttachmentId, "", { validateOnly: true });
  expect(await real.made.ctx.store.revision()).toBe(before);
  const once = { requestId: "2d8f1a34-0000-4000-8000-000000000001" };
  await real.create({}, once);
  expect(await real.create({}, once)).toBe("the first answer");
  expect(await real.ids()).toHaveLength(9);
});

test.each(["required", "preferred"])("rails declared by subnets, %s", async (railAlignment) => {
  const real = await stoppedWith(8, { profile: { railAlignment } });
  const clusterNetworkId = (await rowOf(real)).clusterNetworkId as never;
  const range = { kind: "count", count: 16 } as const;
  const wish = { clusterNetworkId, name: "", range, rail: 7 };
  const rail7 = (await createSubnet(real.made.ctx, real.made.call(), wish)).id;
  const ids = await real.ids();
  await real.remove(ids[7] as AttachmentId);
  const [last] = await real.create({ wishes: [fresh(rail7)] });
  const id = last?.attachment.id as AttachmentId;
  const move = real.move(id, ids[3]);
  if (railAlignment === "required") {
    const error = await refusal(move);
    expect(error).toMatchObject({ code: "invalid", reason: "RAIL_MISMATCH" });
    expect(fieldsOf(error)).toEqual(["before_id"]);
    return;
  }
  expect((await move).attachment.lifecycleReasons).toMatchObject([{ code: "rail_mismatch" }]);
  expect((await real.move(id, undefined)).attachment.lifecycleReasons).toEqual([]);
});

test("attachments of an instance that is being deleted are deleting, at their places", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  await deleteInstance(made.ctx, made.call(), { id, etag: "" });
  const views = await new Attachments(made, id, subnetId).views();
  expect(views.map(({ attachment }) => attachment.lifecycleState)).toEqual(
    Array(8).fill("deleting"),
  );
  expect(views.map(({ place }) => place?.rail)).toEqual([...views.keys()]);
});
