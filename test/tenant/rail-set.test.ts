// Instances that take a part of a node: the first of a network and profile fixes the rails of those
// that follow, until the last one is gone.
import { getLayout } from "@railyard/controller/service/attachment";
import { createAttachments } from "@railyard/controller/service/attachment-create";
import { deleteAttachment, moveAttachment } from "@railyard/controller/service/attachment-edit";
import {
  deleteInstance,
  stopInstance,
  updateInstance,
} from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { startInstance } from "@railyard/controller/service/instance-start";
import { createSubnet } from "@railyard/controller/service/subnet";
import type { ClusterNetworkId, InstanceId, SubnetId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { HALF, OTHER_HALF, shared } from "./halves.js";
import { fieldsOf, instance, instanceWish, type Rig, refusal, seenGone } from "./rig.js";

function half(made: Rig, subnetId: Parameters<typeof instanceWish>[0]) {
  return instance(made, instanceWish(subnetId, { count: 4, profile: HALF }));
}

/** Stops it, and what it held was given back. */
async function stopped(made: Rig, id: InstanceId): Promise<void> {
  await stopInstance(made.ctx, made.call(), { id, etag: "" });
  await seenGone(made, id);
}

async function deleted(made: Rig, id: InstanceId): Promise<void> {
  await deleteInstance(made.ctx, made.call(), { id, etag: "" });
  await seenGone(made, id);
}

function reprofiled(made: Rig, { id, spec }: Awaited<ReturnType<typeof half>>, profile: string) {
  const { metadataService, hostFailure } = spec;
  const input = { id, etag: "", mask: ["profile"], name: "", profile };
  return updateInstance(made.ctx, made.call(), { ...input, metadataService, hostFailure });
}

/** A stranger takes the half of the only node that is in the way, so the other one is left. */
async function strangerOn(made: Rig, rails: readonly number[] | undefined) {
  const row = await half(made, (await made.network()).subnetId);
  if (railsOf(row)?.join() === rails?.join()) return row;
  const second = await half(made, (await made.network()).subnetId);
  await deleted(made, row.id);
  expect(railsOf(second)).toEqual(rails);
  return second;
}

async function railed(made: Rig, clusterNetworkId: ClusterNetworkId, rail: number) {
  const range = { kind: "count", count: 16 } as const;
  return createSubnet(made.ctx, made.call(), { clusterNetworkId, name: "", range, rail });
}

/** Four attachments, of which those named are in subnets of their own. */
function wishWith(subnetId: SubnetId, at: Readonly<Record<number, SubnetId>>) {
  const plain = instanceWish(subnetId, { count: 4, profile: HALF });
  const clusterNetworkAttachments = plain.clusterNetworkAttachments.map((one, i) => {
    const id = at[i];
    return id ? (instanceWish(id, { count: 1 }).clusterNetworkAttachments[0] ?? one) : one;
  });
  return { ...plain, clusterNetworkAttachments };
}

/** Rail and reasons of each position. */
async function seen(made: Rig, id: InstanceId) {
  const { attachments } = await getLayout(made.ctx, made.read(), id);
  return {
    ids: attachments.map(({ attachment }) => attachment.id),
    rails: attachments.map(({ place }) => place?.rail),
    noted: attachments.flatMap(({ attachment: a }) =>
      a.lifecycleReasons.map(({ code, message }) => [a.position, code, message]),
    ),
  };
}

function railsOf({ placement }: Awaited<ReturnType<typeof half>>): readonly number[] | undefined {
  return placement?.pairs.map(({ rail }) => rail);
}

const HALVES = [
  [0, 1, 2, 3],
  [4, 5, 6, 7],
];

test("all of one network and profile are on the first one's rails, also when full", async () => {
  const made = await shared(3);
  const { subnetId } = await made.network();
  const first = await half(made, subnetId);
  expect(HALVES).toContainEqual(railsOf(first));
  for (let i = 0; i < 2; i++) expect(railsOf(await half(made, subnetId))).toEqual(railsOf(first));
  // Every node has its other half left, but not on these rails.
  expect(await half(made, subnetId)).toMatchObject({ status: "failed", placement: undefined });
});

test("another network fills the other halves of the same nodes", async () => {
  const made = await shared(1);
  const first = await half(made, (await made.network()).subnetId);
  const second = await half(made, (await made.network()).subnetId);
  expect([railsOf(first), railsOf(second)].sort()).toEqual(HALVES);
});

test("once the last one is gone the next may fix other rails", async () => {
  const made = await shared(1);
  const { subnetId } = await made.network();
  const first = await half(made, subnetId);
  const other = await half(made, (await made.network()).subnetId);
  await deleteInstance(made.ctx, made.call(), { id: first.id, etag: "" });
  expect(await half(made, subnetId)).toMatchObject({ status: "failed" });
  await seenGone(made, first.id);
  await deleteInstance(made.ctx, made.call(), { id: other.id, etag: "" });
  await seenGone(made, other.id);
  // Half a node is broken up already: whichever half is left is taken, on whatever rails.
  const again = await half(made, (await made.network()).subnetId);
  const last = await half(made, subnetId);
  expect([railsOf(again), railsOf(last)].sort()).toEqual(HALVES);
});

test("whole nodes keep every rail in its place", async () => {
  const made = await shared(1);
  const { subnetId } = await made.network();
  const whole = await instance(made, instanceWish(subnetId));
  expect(railsOf(whole)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("a set of rails does not come back with an instance that had another profile", async () => {
  const made = await shared(1);
  const { subnetId } = await made.network();
  const first = await half(made, subnetId);
  await stopped(made, first.id);
  await reprofiled(made, first, OTHER_HALF);
  const stranger = await strangerOn(made, railsOf(first));
  const second = await half(made, subnetId);
  expect(railsOf(second)).not.toEqual(railsOf(first));
  await reprofiled(made, first, HALF);
  await deleted(made, stranger.id);
  // The only half that is free is the one the first was on when it fixed them.
  expect((await seen(made, first.id)).rails).toEqual(railsOf(second));
  expect(await half(made, subnetId)).toMatchObject({ status: "failed", placement: undefined });
});

test.each(["while it is stopped", "while it still stops"])(
  "neither does it with one that left the network, %s, and came back",
  async (when) => {
    const made = await shared(1);
    const { subnetId } = await made.network();
    const first = await half(made, subnetId);
    const { id: instanceId } = first;
    await stopInstance(made.ctx, made.call(), { id: instanceId, etag: "" });
    if (when === "while it is stopped") await seenGone(made, instanceId);
    for (const id of (await seen(made, instanceId)).ids) {
      await deleteAttachment(made.ctx, made.call(), { id, instanceId, etag: "" });
    }
    if (when === "while it still stops") await seenGone(made, instanceId);
    const wishes = instanceWish(subnetId, { count: 4 }).clusterNetworkAttachments;
    const paths = { all: "all", at: (i: number) => `${i}`, profile: "profile" };
    const input = { instanceId, wishes, before: undefined, paths };
    await createAttachments(made.ctx, made.call(), input);
    expect((await seen(made, instanceId)).rails).toEqual(Array(4).fill(undefined));
    await strangerOn(made, railsOf(first));
    expect(railsOf(await half(made, subnetId))).not.toEqual(railsOf(first));
  },
);

test("a stopped part of a node shows the rails that are fixed for it", async () => {
  const made = await shared(1);
  const { subnetId } = await made.network();
  const first = await half(made, subnetId);
  await stopped(made, first.id);
  expect((await seen(made, first.id)).rails).toEqual(railsOf(first));
});

test("required: a declared rail that is not in the fixed place is refused and named", async () => {
  const made = await shared(2, { railAlignment: "required" });
  const { subnetId, networkId } = await made.network();
  const first = await half(made, subnetId);
  const [low = -1, next = -1] = railsOf(first) ?? [];
  const own = (await railed(made, networkId, next)).id;
  const wrong = createInstance(made.ctx, made.call(), wishWith(subnetId, { 0: own, 1: own }));
  const error = await refusal(wrong);
  expect(error).toMatchObject({ code: "invalid", reason: "RAIL_MISMATCH" });
  expect(fieldsOf(error)).toEqual(["template.cluster_network_attachments[0]"]);
  expect(error.message).toContain(`rail ${next}, the attachment is on rail ${low}`);
  const right = await instance(made, wishWith(subnetId, { 1: own }));
  expect(railsOf(right)).toEqual(railsOf(first));
  await stopped(made, right.id);
  const id = (await seen(made, right.id)).ids[1]!;
  const input = { id, instanceId: right.id, etag: "", before: undefined };
  const move = await refusal(moveAttachment(made.ctx, made.call(), input));
  expect(move).toMatchObject({ code: "invalid", reason: "RAIL_MISMATCH" });
});

test("required: a start is refused where others have fixed other rails meanwhile", async () => {
  const made = await shared(2, { railAlignment: "required" });
  const { subnetId, networkId } = await made.network();
  const own = (await railed(made, networkId, 4)).id;
  const row = await instance(made, wishWith(subnetId, { 0: own }));
  expect(railsOf(row)).toEqual([4, 5, 6, 7]);
  await stopped(made, row.id);
  await reprofiled(made, row, OTHER_HALF);
  const low = (await railed(made, networkId, 0)).id;
  const wish = { ...wishWith(subnetId, { 0: low }), profile: OTHER_HALF };
  expect(railsOf(await instance(made, wish))).toEqual([0, 1, 2, 3]);
  const error = await refusal(startInstance(made.ctx, made.call(), { id: row.id, etag: "" }));
  expect(error).toMatchObject({ code: "precondition", reason: "RAIL_MISMATCH" });
  expect(error.message).toContain("position 0: the subnet declares rail 4");
});

test("required: a profile whose rails are fixed elsewhere cannot be changed to", async () => {
  const made = await shared(1, { railAlignment: "required" });
  const { subnetId, networkId } = await made.network();
  const first = await instance(made, instanceWish(subnetId, { count: 4, profile: OTHER_HALF }));
  const [low = -1] = HALVES.find((rails) => rails.join() !== railsOf(first)?.join()) ?? [];
  const row = await instance(
    made,
    wishWith(subnetId, { 0: (await railed(made, networkId, low)).id }),
  );
  expect(railsOf(row)?.[0]).toBe(low);
  await stopped(made, row.id);
  const error = await refusal(reprofiled(made, row, OTHER_HALF));
  expect(error).toMatchObject({ code: "invalid", reason: "RAIL_MISMATCH" });
});

test.each(HALVES)(
  "required: the first goes where its subnets say, from rail %i",
  async (...half) => {
    const made = await shared(2, { railAlignment: "required" });
    const { subnetId, networkId } = await made.network();
    const third = (await railed(made, networkId, half[2]!)).id;
    const row = await instance(made, wishWith(subnetId, { 2: third }));
    expect(railsOf(row)).toEqual(half);
    const astray = await made.network();
    const first = (await railed(made, astray.networkId, half[2]!)).id;
    // No half of a board has this rail first.
    const nowhere = createInstance(made.ctx, made.call(), wishWith(astray.subnetId, { 0: first }));
    const error = await refusal(nowhere);
    expect(error).toMatchObject({ code: "invalid", reason: "RAIL_MISMATCH" });
    expect(fieldsOf(error)).toEqual(["template.cluster_network_attachments[0]"]);
  },
);

test("preferred: what is on another rail than declared says so once it is placed", async () => {
  const made = await shared(1, { railAlignment: "preferred" });
  const { subnetId, networkId } = await made.network();
  const own = (await railed(made, networkId, 7)).id;
  const row = await instance(made, wishWith(subnetId, { 0: own }));
  const [low] = railsOf(row) ?? [];
  const message = `the subnet declares rail 7, the attachment is on rail ${low}`;
  const noted = [[0, "rail_mismatch", message]];
  expect(await seen(made, row.id)).toMatchObject({ rails: railsOf(row), noted });
  await stopped(made, row.id);
  await startInstance(made.ctx, made.call(), { id: row.id, etag: "" });
  expect((await seen(made, row.id)).noted).toEqual(noted);
  // The rails are fixed now: the second is told before it is placed, even where there is no room.
  const wish = instanceWish(subnetId, { count: 4, profile: HALF });
  expect(await instance(made, wish)).toMatchObject({ status: "failed" });
  const second = await instance(made, wishWith(subnetId, { 0: own }));
  expect(second).toMatchObject({ status: "failed" });
  expect((await seen(made, second.id)).noted).toEqual(noted);
});

test("without alignment nothing is said of rails", async () => {
  const made = await shared(1, { railAlignment: "none" });
  const { subnetId, networkId } = await made.network();
  const own = (await railed(made, networkId, 7)).id;
  const row = await instance(made, wishWith(subnetId, { 0: own }));
  expect(await seen(made, row.id)).toMatchObject({ rails: railsOf(row), noted: [] });
});
