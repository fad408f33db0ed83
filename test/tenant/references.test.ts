// A reference to something that is gone keeps its id and says so, in the message that its owner is
// sent.
import { instanceMessage } from "@railyard/controller/api/instance-message";
import { getInstance } from "@railyard/controller/service/instance";
import { expect, test } from "vitest";
import { instance, instanceWish, rig } from "./rig.js";

test("references to what the catalog no longer has carry deleted, the others do not", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const volumes = { bootVolumeId: "vol-2", volumeIds: ["vol-1"] };
  const { id } = await instance(made, instanceWish(subnetId, { count: 0, ...volumes }));
  const shown = async () => instanceMessage(await getInstance(made.ctx, made.read(), id));
  const before = await shown();
  const gone = [
    ["volume", "vol-1"],
    ["volume", "vol-2"],
    ["image", "img-1"],
    ["key", "key-1"],
    ["vpc", "vpc-1"],
  ] as const;
  await made.write(async (tx) => {
    for (const [kind, item] of gone) await tx.catalog.remove(kind, item);
  });
  const after = await shown();
  const pick = ({ vpc, image, bootVolume, volumes: all, keys }: typeof after) =>
    [...all, bootVolume, image, ...keys, vpc].map((ref) => [ref?.id, ref?.deleted ?? false]);
  expect(pick(before)).toEqual(gone.map(([, item]) => [item, false]));
  expect(pick(after)).toEqual(gone.map(([, item]) => [item, true]));
});
