// What is read at once is committed, is the owner's, and is what a transaction would find: also
// while a write is open, after one that was undone, and when only a part of the object changed.
import { updateNetwork } from "@railyard/controller/service/cluster-network";
import { getInstance, updateInstance } from "@railyard/controller/service/instance";
import type { InstanceId } from "@railyard/lib/ids";
import { Instance } from "@railyard/proto/gen/railyard/v1/instance";
import { expect, test } from "vitest";
import { expectAtHand } from "./at-hand.js";
import { ALICE, BOB, instance, instanceWish, type Rig, rig } from "./rig.js";

async function shownName(made: Rig, id: InstanceId): Promise<string | undefined> {
  const bytes = await made.ctx.store.shownInstance(ALICE, id);
  return bytes && Instance.decode(bytes).name;
}

function isAtHand(made: Rig, id: InstanceId): boolean {
  return made.ctx.store.shownInstance(ALICE, id) instanceof Uint8Array;
}

async function one() {
  const made = await rig();
  const { id, name } = await instance(made, instanceWish("" as never, { count: 0, name: "a" }));
  await made.ctx.store.shownInstance(ALICE, id);
  expect([isAtHand(made, id), name]).toEqual([true, "a"]);
  const rename = async (to: string) => {
    const { instance: row } = await getInstance(made.ctx, made.read(), id);
    const { metadataService, hostFailure } = row.spec;
    const same = { metadataService, hostFailure, profile: row.profile };
    const input = { id, etag: "", mask: ["name"], name: to, ...same };
    return updateInstance(made.ctx, made.call(), input);
  };
  return { made, id, rename };
}

test("nothing of an open write is read at once, and nothing of one that was undone", async () => {
  const { made, id } = await one();
  const seen: unknown[] = [];
  let reading: Promise<string | undefined> | undefined;
  const write = made.write(async (tx) => {
    const row = (await tx.everyone.instances.get(id))!;
    seen.push(isAtHand(made, id));
    await tx.everyone.instances.update({ ...row, name: "b" });
    seen.push(isAtHand(made, id));
    reading = shownName(made, id);
    throw new Error("undone");
  });
  await expect(write).rejects.toThrow("undone");
  expect(seen).toEqual([true, false]);
  expect([await reading, await shownName(made, id), isAtHand(made, id)]).toEqual(["a", "a", true]);
});

test("who was told of a change reads it, and another account reads nothing", async () => {
  const { made, id, rename } = await one();
  for (const name of ["b", "c"]) {
    await rename(name);
    expect(isAtHand(made, id)).toBe(false);
    expect(await shownName(made, id)).toBe(name);
    expect(await made.ctx.store.shownInstance(BOB, id)).toBeUndefined();
    await expectAtHand(made);
  }
});

test("an instance is read anew when the name of something that it shows changes", async () => {
  const made = await rig();
  const { networkId, subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  await expectAtHand(made);
  const wish = { id: networkId, etag: "", mask: ["name"], name: "another-name" };
  await updateNetwork(made.ctx, made.call(), wish);
  expect(isAtHand(made, id)).toBe(false);
  const bytes = (await made.ctx.store.shownInstance(ALICE, id))!;
  expect(Instance.decode(bytes).clusterNetwork?.name).toBe("another-name");
  await expectAtHand(made);
});

test("a closed store answers nothing, whatever it had at hand", async () => {
  const { made, id } = await one();
  await made.ctx.store.close();
  await expect(made.ctx.store.shownInstance(ALICE, id)).rejects.toMatchObject({
    code: "unavailable",
  });
});
