// A volume has one user, whichever account asks: a second one is refused, and a stranger is not
// told who it is.

import { deleteInstance } from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { expect, test } from "vitest";
import { ALICE, BOB, instance, instanceWish, type Rig, refusal, rig, seenGone } from "./rig.js";

const SHARED = "vol-shared";

/** With a volume, an image and a key that every account may use. */
async function yard(): Promise<Rig> {
  const made = await rig({ nodes: 2 });
  const volume = { kind: "volume", zone: "us-east-3", capacityGib: 10 } as const;
  const key = { kind: "key", name: "all", publicKey: "ssh-ed25519 B" } as const;
  const vpc = { kind: "vpc", id: "vpc-1", name: "vpc-one" } as const;
  await made.write(async (tx) => {
    await tx.catalog.put({ ...volume, account: undefined, id: SHARED, name: "shared" });
    await tx.catalog.put({ ...key, account: undefined, id: "key-all" });
    await tx.catalog.put({ ...vpc, account: undefined });
  });
  return made;
}

async function wishOf(made: Rig, over: object = {}) {
  const { subnetId } = await made.network();
  return instanceWish(subnetId, { count: 0, keyIds: ["key-all"], volumeIds: [SHARED], ...over });
}

test("another account is refused a volume in use, and not told who uses it", async () => {
  const made = await yard();
  const wish = await wishOf(made);
  const { id } = await instance(made, wish);
  const [own, theirs] = [
    await refusal(createInstance(made.ctx, made.call({ account: ALICE }), wish)),
    await refusal(createInstance(made.ctx, made.call({ account: BOB }), wish)),
  ];
  for (const error of [own, theirs]) {
    expect(error).toMatchObject({ code: "precondition", reason: "VOLUME_IN_USE" });
  }
  expect(own.parts.holders).toEqual([{ type: "instance", id }]);
  expect(theirs.parts.holders).toBeUndefined();
  expect(JSON.stringify([theirs.message, theirs.parts])).not.toContain(id);
});

test("a boot volume is as exclusive as any other", async () => {
  const made = await yard();
  await instance(made, await wishOf(made, { volumeIds: [], bootVolumeId: SHARED }));
  const call = made.call({ account: BOB });
  const error = await refusal(createInstance(made.ctx, call, await wishOf(made)));
  expect(error.reason).toBe("VOLUME_IN_USE");
});

test("a volume is free again once its user is gone, and not before", async () => {
  const made = await yard();
  const wish = await wishOf(made);
  const { id } = await instance(made, wish);
  await deleteInstance(made.ctx, made.call(), { id, etag: "" });
  const call = () => made.call({ account: BOB });
  expect((await refusal(createInstance(made.ctx, call(), wish))).reason).toBe("VOLUME_IN_USE");
  await seenGone(made, id);
  await createInstance(made.ctx, call(), wish);
});

test("a dry run and a refused create take no volume", async () => {
  const made = await yard();
  const wish = await wishOf(made);
  await createInstance(made.ctx, made.call({ validateOnly: true }), wish);
  await refusal(createInstance(made.ctx, made.call(), { ...wish, imageId: "img-nothing" }));
  await instance(made, wish);
});
