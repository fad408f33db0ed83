// Rules between a tenant's objects and the machines that no tenant sees: which NIC a position lands
// on, where an emptied isolation id goes, how much one node may be told.

import type { Instance } from "@railyard/controller/domain/instance";
import { createNetwork } from "@railyard/controller/service/cluster-network";
import { type InstanceView, updateInstance } from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import type { InstanceId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import {
  addNode,
  instance,
  instanceWish,
  networkWish,
  QUARANTINE_MS,
  type Rig,
  rig,
  WHOLE,
} from "./rig.js";

const USER_DATA_MAX = 64 * 1024;
/** So many instances with that much user data fit on one node. */
const FULL = 11;

/** NIC and VF of each position. */
async function devices(made: Rig, id: InstanceId) {
  const claim = await made.write((tx) => tx.claims.ofInstance(id));
  return claim?.vfs.map(({ nic, vf }) => `${nic}/${vf}`).sort();
}

async function layOut(made: Rig, attachmentLayout: "blocked" | "strided") {
  await made.write(async (tx) => {
    const profile = await tx.profiles.instance(WHOLE);
    if (profile) await tx.profiles.putInstance({ ...profile, attachmentLayout });
  });
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId, { count: 16 }));
  const positions = await made.write((tx) => tx.everyone.attachments.ofInstance(id));
  const claim = await made.write((tx) => tx.claims.ofInstance(id));
  return positions.map((row) => {
    const vf = claim?.vfs.find(({ attachmentId }) => attachmentId === row.id);
    return `${vf?.nic}/${vf?.vf}`;
  });
}

test("blocked: position p is on pair floor(p / per), its VFs in position order", async () => {
  const wanted = Array.from({ length: 16 }, (_, p) => `nic-${Math.floor(p / 2)}/${p % 2}`);
  expect(await layOut(await rig(), "blocked")).toEqual(wanted);
});

test("strided: position p is on pair p mod k, its VFs in position order", async () => {
  const wanted = Array.from({ length: 16 }, (_, p) => `nic-${p % 8}/${Math.floor(p / 8)}`);
  expect(await layOut(await rig(), "strided")).toEqual(wanted);
});

test("every VF of an instance is its own", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId, { count: 32 }));
  expect(new Set(await devices(made, id)).size).toBe(32);
});

test("the isolation id that a re-mapped network leaves rests before it is used again", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId, networkId } = await made.network();
  const isolationOf = async (id: string) =>
    made.write(async (tx) => {
      const network = await tx.everyone.clusterNetworks.get(id as typeof networkId);
      return [network?.physicalClusterId, network?.isolation.id];
    });
  const free = (cluster: string) =>
    made.write((tx) => tx.isolation.free(cluster as Parameters<typeof tx.isolation.free>[0]));
  expect(await isolationOf(networkId)).toEqual(["pc-secret-a", 100]);
  await addNode(made, "node-b", "pc-secret-b");
  expect((await instance(made, instanceWish(subnetId))).status).toBe("starting");
  expect(await isolationOf(networkId)).toEqual(["pc-secret-b", 200]);
  expect([await free("pc-secret-a"), await free("pc-secret-b")]).toEqual([9, 9]);
  const { network } = await createNetwork(made.ctx, made.call(), networkWish());
  expect((await isolationOf(network.id))[1]).not.toBe(100);
  await made.write((tx) => tx.expire(made.clock.now() + QUARANTINE_MS));
  expect(await free("pc-secret-a")).toBe(9);
  const again = (await createNetwork(made.ctx, made.call(), networkWish())).network;
  expect((await isolationOf(again.id))[1]).toBe(100);
});

test("a change that its node could no longer be told in one message is refused", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  await made.write(async (tx) => {
    const base = await tx.profiles.instance(WHOLE);
    const small = { name: "small", vcpu: 1, memoryGib: 1, gpu: undefined, attachments: undefined };
    if (base) await tx.profiles.putInstance({ ...base, ...small });
  });
  const wish = instanceWish(subnetId, { count: 0, profile: "small" });
  const sized = (bytes: number) => ({ ...wish, name: `i-${bytes}`, userData: "x".repeat(bytes) });
  const neighbours: Instance[] = [];
  for (let i = 0; i < FULL; i++) {
    const userData = "x".repeat(USER_DATA_MAX);
    neighbours.push(await instance(made, { ...wish, name: `n-${i}`, userData }));
  }
  // The largest that still fits beside them, found by asking.
  let [fits, tooLarge] = [0, USER_DATA_MAX];
  while (tooLarge - fits > 1) {
    const bytes = Math.floor((fits + tooLarge) / 2);
    const dry = made.call<InstanceView>({ validateOnly: true });
    const { instance: tried } = await createInstance(made.ctx, dry, sized(bytes));
    if (tried.status === "starting") fits = bytes;
    else tooLarge = bytes;
  }
  const last = await instance(made, sized(fits));
  expect(last.status).toBe("starting");
  const rename = ({ id, spec }: Instance, name: string) => {
    const { metadataService, hostFailure } = spec;
    const same = { etag: "", profile: "", metadataService, hostFailure };
    return updateInstance(made.ctx, made.call(), { id, ...same, mask: ["name"], name });
  };
  // There is room for its own longest name, but not for those of all the others.
  await rename(last, "n".repeat(63));
  const renamed = neighbours.map((one, i) => rename(one, `${"n".repeat(60)}-${i}`));
  const ends = await Promise.allSettled(renamed);
  const error = ends.find((end) => end.status === "rejected")?.reason;
  expect(error).toMatchObject({
    ...{ code: "precondition", reason: "INSTANCE_DESIRED_STATE_TOO_LARGE" },
  });
  await rename(neighbours[0]!, "n");
});
