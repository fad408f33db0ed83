// What may be asked of an instance in each of its statuses, and what happens to what has to wait.
import {
  type Instance,
  type InstanceStatus,
  toDeleting,
  toFailed,
  toRestarting,
  toRunning,
} from "@railyard/controller/domain/instance";
import { getLayout } from "@railyard/controller/service/attachment";
import { deleteAttachment } from "@railyard/controller/service/attachment-edit";
import {
  deleteInstance,
  getInstance,
  type InstanceView,
  stopInstance,
  updateInstance,
} from "@railyard/controller/service/instance";
import { leaveHost } from "@railyard/controller/service/instance-leave";
import { runQueued } from "@railyard/controller/service/instance-queue";
import { rebootInstance } from "@railyard/controller/service/instance-reboot";
import { startInstance } from "@railyard/controller/service/instance-start";
import { tenantTx } from "@railyard/controller/service/tenant";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { seededRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import { H200, instance, instanceWish, type Rig, refusal, rig, seenGone } from "./rig.js";

type Act = (made: Rig, id: InstanceId) => Promise<InstanceView>;

const ACTS: Readonly<Record<string, Act>> = {
  start: (m, id) => startInstance(m.ctx, m.call(), { id, etag: "" }),
  stop: (m, id) => stopInstance(m.ctx, m.call(), { id, etag: "", force: false }),
  "stop --force": (m, id) => stopInstance(m.ctx, m.call(), { id, etag: "", force: true }),
  reboot: (m, id) => rebootInstance(m.ctx, m.call(), { id, etag: "", force: false }),
  "reboot --force": (m, id) => rebootInstance(m.ctx, m.call(), { id, etag: "", force: true }),
  delete: (m, id) => deleteInstance(m.ctx, m.call(), { id, etag: "" }),
  profile: (m, id) => changeProfile(m, id, "other"),
};

/** The status that answers each action, "+" when it waits; "no" where it is refused. */
const TABLE: Readonly<Record<InstanceStatus, Readonly<Record<keyof typeof ACTS, string>>>> = {
  pending: row({ stop: "stopped" }),
  starting: row({ stop: "stopping", reboot: "starting+" }),
  running: row({ stop: "stopping", reboot: "restarting" }),
  restarting: row({ stop: "stopping" }),
  stopping: row({ start: "stopping+" }),
  stopped: row({ start: "starting", profile: "stopped" }),
  failed: row({ start: "starting", stop: "stopped", profile: "failed" }),
  deleting: row({}),
};

interface Answers {
  readonly start?: string;
  readonly stop?: string;
  readonly reboot?: string;
  readonly profile?: string;
}

function row({ start = "no", stop = "no", reboot = "no", profile = "no" }: Answers) {
  const forced = { "stop --force": stop, "reboot --force": reboot };
  return { start, stop, reboot, profile, ...forced, delete: "deleting" };
}

const CASES = (Object.keys(TABLE) as InstanceStatus[]).flatMap((status) =>
  Object.entries(TABLE[status]).map(([act, answer]) => [status, act, answer] as const),
);

async function changeProfile(made: Rig, id: InstanceId, profile: string): Promise<InstanceView> {
  const { name, spec } = await rowOf(made, id);
  const { metadataService, hostFailure } = spec;
  const values = { name, profile, metadataService, hostFailure };
  return updateInstance(made.ctx, made.call(), { id, etag: "", mask: ["profile"], ...values });
}

async function rowOf(made: Rig, id: InstanceId): Promise<Instance> {
  return (await getInstance(made.ctx, made.read(), id)).instance;
}

function become(made: Rig, id: InstanceId, change: (row: Instance) => Instance): Promise<void> {
  return made.write(async (tx) => {
    const now = await tx.everyone.instances.get(id);
    if (now) await tx.everyone.instances.update(change(now));
  });
}

/** What a report of the intended facts brings about. */
function seenRunning(made: Rig, id: InstanceId): Promise<void> {
  return made.write(async (tx) => {
    const now = await tx.everyone.instances.get(id);
    if (!now) return;
    const running = toRunning(now, "digest");
    await tx.everyone.instances.update(running);
    const given = { at: made.clock.now(), rng: seededRng("seen") };
    await runQueued(tenantTx(tx, now.account), made.ctx, { given, instance: running });
  });
}

const REASON = { code: "cannot_start_capacity", message: "", metadata: {} } as const;

const COMING: Readonly<Record<InstanceStatus, (made: Rig, id: InstanceId) => Promise<unknown>>> = {
  starting: async () => undefined,
  running: seenRunning,
  restarting: async (made, id) => {
    await seenRunning(made, id);
    await become(made, id, toRestarting);
  },
  stopping: (made, id) => stopInstance(made.ctx, made.call(), { id, etag: "" }),
  stopped: async (made, id) => {
    await stopInstance(made.ctx, made.call(), { id, etag: "" });
    await seenGone(made, id);
  },
  failed: (made, id) => offNode(made, id, (now) => toFailed(now, REASON)),
  pending: (made, id) =>
    offNode(made, id, (now) => ({ ...now, status: "pending", placement: undefined })),
  deleting: (made, id) =>
    made.write(async (tx) => {
      const now = await tx.everyone.instances.get(id);
      if (now) await tx.everyone.instances.update(toDeleting(now, await leaveHost(tx, now)));
    }),
};

async function offNode(made: Rig, id: InstanceId, change: (now: Instance) => Instance) {
  await made.write((tx) => tx.claims.release(id));
  await become(made, id, change);
}

/** An instance with 8 attachments in the status, on a yard with another compatible profile. */
async function inStatus(status: InstanceStatus): Promise<{ made: Rig; id: InstanceId }> {
  const made = await rig();
  const { subnetId } = await made.network();
  await made.write(async (tx) => {
    const [base] = await tx.profiles.clusterNetworks();
    const like = base && (await tx.profiles.instance(base.instanceProfiles[0] ?? ""));
    if (!base || !like) return;
    await tx.profiles.putInstance({ ...like, name: "other" });
    const instanceProfiles = [...base.instanceProfiles, "other"];
    await tx.profiles.putClusterNetwork({ ...base, instanceProfiles });
  });
  const { id } = await instance(made, instanceWish(subnetId));
  await COMING[status](made, id);
  expect((await rowOf(made, id)).status).toBe(status);
  return { made, id };
}

test.each(CASES)("%s: %s → %s", async (status, act, answer) => {
  const { made, id } = await inStatus(status);
  const call = ACTS[act]?.(made, id);
  if (answer !== "no") {
    const { status: after, queuedActions } = (await call)?.instance ?? {};
    expect(`${after}${queuedActions?.length ? "+" : ""}`).toBe(answer);
    return;
  }
  const error = await refusal(call as Promise<unknown>);
  expect(error).toMatchObject({ code: "precondition", reason: "INSTANCE_STATUS_CONFLICT" });
  expect(error.parts.metadata).toMatchObject({ status, allowed: expect.stringMatching(/[a-z]/) });
});

test("a start that waits behind stopping is carried out once it was seen gone", async () => {
  const { made, id } = await inStatus("stopping");
  for (let i = 0; i < 4; i++) await ACTS.start?.(made, id);
  const fifth = await refusal(ACTS.start?.(made, id) as Promise<unknown>);
  expect(fifth).toMatchObject({ code: "precondition", reason: "INSTANCE_ACTIONS_QUEUED" });
  await seenGone(made, id);
  expect(await rowOf(made, id)).toMatchObject({ status: "starting", bootCount: 2 });
  await seenRunning(made, id);
  expect(await rowOf(made, id)).toMatchObject({ status: "running", queuedActions: [] });
});

test("a start that was asked for twice is not carried out again after a later stop", async () => {
  const { made, id } = await inStatus("stopping");
  await ACTS.start?.(made, id);
  await ACTS.start?.(made, id);
  await seenGone(made, id);
  await ACTS.stop?.(made, id);
  await seenGone(made, id);
  expect(await rowOf(made, id)).toMatchObject({ status: "stopped", queuedActions: [] });
});

test("reboots that wait behind starting are carried out one after the other", async () => {
  const { made, id } = await inStatus("starting");
  const generation = () =>
    made.write(async (tx) => (await tx.nodes.get("node-0" as NodeId))?.generation);
  const before = (await generation()) ?? 0n;
  await ACTS.reboot?.(made, id);
  await ACTS.reboot?.(made, id);
  expect(await generation()).toBe(before);
  await seenRunning(made, id);
  expect(await rowOf(made, id)).toMatchObject({ status: "restarting", bootCount: 2 });
  expect(await generation()).toBe(before + 1n);
  await seenRunning(made, id);
  expect(await rowOf(made, id)).toMatchObject({ status: "restarting", bootCount: 3 });
  await seenRunning(made, id);
  expect(await rowOf(made, id)).toMatchObject({ status: "running", queuedActions: [] });
});

test("a forced reboot drops what waited before it", async () => {
  const { made, id } = await inStatus("starting");
  for (let i = 0; i < 4; i++) await ACTS.reboot?.(made, id);
  const forced = await ACTS["reboot --force"]?.(made, id);
  expect(forced?.instance.queuedActions).toEqual(["reboot"]);
});

test.each([
  ["stop", ["reboot", "start"]],
  ["stop --force", ["start"]],
])("after %s what cannot be done is dropped, the start behind it is done", async (stop, queue) => {
  const { made, id } = await inStatus("starting");
  await ACTS.reboot?.(made, id);
  await ACTS[stop]?.(made, id);
  await ACTS.start?.(made, id);
  expect((await rowOf(made, id)).queuedActions).toEqual(queue);
  await seenGone(made, id);
  expect(await rowOf(made, id)).toMatchObject({ status: "starting", queuedActions: [] });
});

test("a waiting start fails when the attachments came to a count not permitted", async () => {
  const { made, id } = await inStatus("stopping");
  await ACTS.start?.(made, id);
  const [first] = (await getLayout(made.ctx, made.read(), id)).attachments;
  const input = { instanceId: id, id: first?.attachment.id as never, etag: "" };
  await deleteAttachment(made.ctx, made.call(), input);
  await seenGone(made, id);
  expect(await rowOf(made, id)).toMatchObject({
    ...{ status: "failed", startable: true, placement: undefined },
    statusReasons: [{ code: "cannot_start_network", metadata: { permitted: "0,8,16,32" } }],
  });
});

test("another profile must be on offer, take the attachments, and fit their network", async () => {
  const { made, id } = await inStatus("stopped");
  expect((await changeProfile(made, id, "other")).instance.profile).toBe("other");
  const unknown = await refusal(changeProfile(made, id, "unknown"));
  expect(unknown).toMatchObject({ code: "notFound" });
  const unsupported = await refusal(changeProfile(made, id, H200));
  expect(unsupported).toMatchObject({ reason: "ATTACHMENT_PROFILE_UNSUPPORTED" });
  await made.write(async (tx) => {
    const base = await tx.profiles.instance("other");
    const attachments = { kind: "enum", values: [4] } as const;
    if (base) await tx.profiles.putInstance({ ...base, name: "few", attachments });
  });
  const few = await refusal(changeProfile(made, id, "few"));
  expect(few.message).toContain("permits at most 4 attachments");
  for (const error of [unknown, unsupported, few]) {
    expect(error.parts.fields?.map(({ field }) => field)).toContain("instance.profile");
  }
  expect((await ACTS.start?.(made, id))?.instance).toMatchObject({
    ...{ status: "starting", profile: "other" },
  });
});
