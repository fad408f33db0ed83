// What an instance says of itself in every state of its life, and that deleting it wins in each.
import {
  type Instance,
  toFailed,
  toRunning,
  toUpdating,
} from "@railyard/controller/domain/instance";
import {
  deleteInstance,
  getInstance,
  listInstances,
  stopInstance,
  updateInstance,
} from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { leaveHost } from "@railyard/controller/service/instance-leave";
import { startInstance } from "@railyard/controller/service/instance-start";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { H200, instance, instanceWish, type Rig, refusal, rig, seenGone } from "./rig.js";

const REASON = { code: "cannot_start_capacity", message: "", metadata: {} } as const;

async function rowOf(made: Rig, id: InstanceId): Promise<Instance> {
  return (await getInstance(made.ctx, made.read(), id)).instance;
}

function become(made: Rig, id: InstanceId, change: (row: Instance) => Instance): Promise<void> {
  return made.write(async (tx) => {
    const row = await tx.everyone.instances.get(id);
    if (row) await tx.everyone.instances.update(change(row));
  });
}

/** What a tenant reads off the instance. */
function facesOf(row: Instance) {
  const { status, lifecycleState, healthState, startable, lifecycleReasons } = row;
  return [status, lifecycleState, healthState, startable, lifecycleReasons.map((r) => r.code)];
}

test("status, lifecycle, health and startable agree in every state", async () => {
  const made = await rig();
  const { ctx, call } = made;
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  const input = { id, etag: "" };
  const now = async () => facesOf(await rowOf(made, id));
  expect(await now()).toEqual(["starting", "stable", "inapplicable", false, []]);
  await become(made, id, (row) => toRunning(row, "digest"));
  expect(await now()).toEqual(["running", "stable", "ok", false, []]);
  await become(made, id, toUpdating);
  expect(await now()).toEqual(["running", "updating", "ok", false, ["awaiting_apply"]]);
  await stopInstance(ctx, call(), input);
  expect(await now()).toEqual(["stopping", "stable", "inapplicable", false, []]);
  await seenGone(made, id);
  expect(await now()).toEqual(["stopped", "stable", "inapplicable", true, []]);
  const blocker = await instance(made, instanceWish(subnetId));
  expect(facesOf((await startInstance(ctx, call(), input)).instance)).toEqual([
    ...["failed", "stable", "inapplicable", true, []],
  ]);
  await deleteInstance(ctx, call(), { id: blocker.id, etag: "" });
  expect(facesOf(await rowOf(made, blocker.id))).toEqual([
    ...["deleting", "deleting", "inapplicable", false, ["awaiting_absence"]],
  ]);
});

test.each(["starting", "running", "stopping", "stopped", "failed on its host", "failed"])(
  "deleting wins from %s, and everything comes back",
  async (from) => {
    const made = await rig({ nodes: from === "failed" ? 0 : 1 });
    const { ctx, call, read } = made;
    const { subnetId } = await made.network();
    const { id } = await instance(made, instanceWish(subnetId));
    const input = { id, etag: "" };
    if (from === "running") await become(made, id, (row) => toRunning(row, "digest"));
    if (from === "stopping" || from === "stopped") await stopInstance(ctx, call(), input);
    if (from === "stopped") await seenGone(made, id);
    if (from === "failed on its host") {
      await made.write(async (tx) => {
        const row = await tx.everyone.instances.get(id);
        const placement = row && (await leaveHost(tx, row));
        if (row) await tx.everyone.instances.update(toFailed(row, REASON, placement));
      });
    }
    const held = (await rowOf(made, id)).placement !== undefined;
    expect((await deleteInstance(ctx, call(), input)).instance.status).toBe("deleting");
    if (held) {
      expect((await rowOf(made, id)).placement).toMatchObject({ phase: "leaving" });
      for (const act of [startInstance, stopInstance]) {
        expect((await refusal(act(ctx, call<never>(), input))).parts.metadata).toMatchObject({
          status: "deleting",
        });
      }
      await seenGone(made, id);
    }
    expect((await refusal(getInstance(ctx, read(), id))).code).toBe("notFound");
    await made.write(async (tx) => {
      expect(await tx.claims.all()).toEqual([]);
      expect((await tx.everyone.interfaces.list({ filter: {} as never, limit: 1 })).total).toBe(0);
    });
  },
);

test("stopping wins over starting, and a failed instance can be stopped", async () => {
  const made = await rig();
  const { ctx, call } = made;
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  const stopping = (await stopInstance(ctx, call(), { id, etag: "" })).instance;
  expect(stopping).toMatchObject({ status: "stopping", placement: { phase: "leaving" } });
  const failed = await instance(made, instanceWish(subnetId));
  const stopped = (await stopInstance(ctx, call(), { id: failed.id, etag: "" })).instance;
  expect(stopped).toMatchObject({ status: "stopped", statusReasons: [], startable: true });
});

test("only what the node must know raises its generation", async () => {
  const made = await rig();
  const { ctx, call } = made;
  const { subnetId } = await made.network();
  const { id, spec, name, profile } = await instance(made, instanceWish(subnetId));
  const { metadataService: service, hostFailure } = spec;
  const settings = { metadataService: service, hostFailure, name, profile };
  const generation = () =>
    made.write(async (tx) => (await tx.nodes.get("node-0" as NodeId))?.generation);
  const update = async (mask: string, over: object) => {
    await updateInstance(ctx, call(), { id, etag: "", mask: [mask], ...settings, ...over });
    return generation();
  };
  expect(await generation()).toBe(1n);
  expect(await update("availability_policy", { hostFailure: "stop" })).toBe(1n);
  expect(await update("name", { name })).toBe(1n);
  expect(await update("name", { name: "renamed" })).toBe(2n);
  const metadataService = { ...spec.metadataService, hopLimit: 2 };
  expect(await update("metadata_service", { metadataService })).toBe(3n);
  await stopInstance(ctx, call(), { id, etag: "" });
  expect(await update("name", { name: "again" })).toBe(4n);
  expect((await rowOf(made, id)).spec).toMatchObject({ hostFailure: "stop", metadataService });
});

test("waiting can help only where some machine could ever hold the instance", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const wish = (over: object) => instanceWish(subnetId, { count: 0, ...over });
  const metadata = async (over: object) =>
    (await instance(made, wish(over))).statusReasons[0]?.metadata;
  expect(await metadata({ profile: H200 })).toEqual({
    shape: "160 vCPU, 1792 GiB, 8 H200 GPUs",
    ...{ attachments: "0", asked: "1", fit: "0", waiting_can_help: "false" },
  });
  await made.write(async (tx) => {
    const node = await tx.nodes.get("node-0" as NodeId);
    if (node) await tx.nodes.update({ ...node, cordoned: true, cordonReason: "test" });
  });
  expect(await metadata({})).toMatchObject({ waiting_can_help: "true" });
});

test("a node takes no more than one message can say, and the next one takes the rest", async () => {
  const made = await rig({ nodes: 2 });
  const { ctx, call, read } = made;
  const { subnetId } = await made.network();
  await made.write(async (tx) => {
    const base = await tx.profiles.instance(H200);
    const small = { name: "small", vcpu: 1, memoryGib: 1, gpu: undefined, attachments: undefined };
    if (base) await tx.profiles.putInstance({ ...base, ...small });
  });
  const userData = "x".repeat(64 * 1024);
  const wish = instanceWish(subnetId, { count: 0, profile: "small", userData });
  for (let i = 0; i < 25; i++) await createInstance(ctx, call(), wish);
  const { rows } = await listInstances(ctx, read(), { filter: {}, limit: 50 });
  const nodes = rows.map(({ instance: row }) => row.placement?.nodeId ?? row.status);
  const on = (where: string) => nodes.filter((node) => node === where).length;
  expect([on("node-0"), on("node-1"), on("failed")]).toEqual([11, 11, 3]);
  const reasons = rows.flatMap(({ instance: row }) => row.statusReasons);
  expect(reasons).toHaveLength(3);
  expect(reasons[0]).toMatchObject({
    ...{ code: "cannot_start_capacity", metadata: { waiting_can_help: "true" } },
  });
  await made.write(async (tx) => {
    expect((await tx.claims.all()).map(({ vcpu }) => vcpu)).toEqual([11, 11]);
  });
});

test("the account's 65th instance is over the quota, and a deleted one makes room", async () => {
  const made = await rig({ nodes: 0 });
  const { ctx, call } = made;
  const { subnetId } = await made.network();
  const wish = instanceWish(subnetId, { count: 0 });
  let last: Instance | undefined;
  for (let i = 0; i < 64; i++) last = await instance(made, wish);
  const error = await refusal(createInstance(ctx, call(), wish));
  expect(error).toMatchObject({ code: "exhausted", reason: "QUOTA_EXCEEDED" });
  expect(error.parts.quota).toEqual({ subject: "instances", limit: 64, used: 64 });
  if (last) await deleteInstance(ctx, call(), { id: last.id, etag: "" });
  expect((await instance(made, wish)).status).toBe("failed");
});

test("a volume that is gone keeps its id and is marked as deleted", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const wish = instanceWish(subnetId, { bootVolumeId: "vol-2", volumeIds: ["vol-1"] });
  const { id } = await instance(made, wish);
  await made.write(async (tx) => {
    for (const volume of ["vol-1", "vol-2"]) await tx.catalog.remove("volume", volume);
  });
  const view = await getInstance(made.ctx, made.read(), id);
  expect([view.bootVolume, ...view.volumes].map((ref) => [ref?.id, ref?.deleted])).toEqual([
    ["vol-2", true],
    ["vol-1", true],
  ]);
});
