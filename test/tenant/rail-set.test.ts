// Instances that take a part of a node: the first of a network and profile fixes the rails of those
// that follow, until the last one is gone.
import { deleteInstance } from "@railyard/controller/service/instance";
import { expect, test } from "vitest";
import { instance, instanceWish, type Rig, rig, seenGone, WHOLE } from "./rig.js";

const HALF = "gx3d-half";

/** A yard whose boards may be shared, with a profile that takes half of one. */
async function shared(nodes: number): Promise<Rig> {
  const made = await rig({ nodes });
  await made.write(async (tx) => {
    const kind = (await tx.hardware.get("hgx-h100"))!;
    await tx.hardware.put({ ...kind, fabricManager: true });
    const whole = (await tx.profiles.instance(WHOLE))!;
    const attachments = { kind: "enum", values: [4, 8] } as const;
    const half = { name: HALF, vcpu: 80, memoryGib: 896, attachments };
    await tx.profiles.putInstance({ ...whole, ...half, gpu: { ...whole.gpu!, count: 4 } });
    const network = (await tx.profiles.clusterNetwork("hopper-1"))!;
    const instanceProfiles = [...network.instanceProfiles, HALF];
    await tx.profiles.putClusterNetwork({ ...network, instanceProfiles });
  });
  return made;
}

function half(made: Rig, subnetId: Parameters<typeof instanceWish>[0]) {
  return instance(made, instanceWish(subnetId, { count: 4, profile: HALF }));
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
