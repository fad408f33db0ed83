// Tests of what fmpm is told and how its answers are read.
import { expect, test } from "vitest";
import { parsePartitions, readPartitions, setPartition } from "./fmpm.js";
import type { Outside } from "./outside.js";

const gpu = (physicalId: number, pciBusId = "") => ({ physicalId, uuid: "", pciBusId });
const partition = (partitionId: number, gpuInfo: object[], isActive = 0) => {
  return { partitionId, isActive, numGpus: gpuInfo.length, gpuInfo };
};
const listing = (...partitionInfo: object[]) => JSON.stringify({ version: 1, partitionInfo });

function outside(calls: string[], answer = ""): Outside {
  return {
    root: "/",
    write: async () => undefined,
    exec: async (tool, args) => {
      calls.push([tool, ...args].join(" "));
      return answer;
    },
  };
}

test("partitions are listed, activated and deactivated by the tool's short options", async () => {
  const calls: string[] = [];
  const machine = outside(calls, listing(partition(3, [gpu(1)])));
  expect(await readPartitions(machine, 1_000)).toHaveLength(1);
  await setPartition(machine, { id: 3, deadlineMs: 1_000 }, true);
  await setPartition(machine, { id: 3, deadlineMs: 1_000 }, false);
  expect(calls).toEqual(["fmpm -l", "fmpm -a 3", "fmpm -d 3"]);
});

test.each([-1, 64, 1.5, Number.NaN])("%d is no partition id and reaches no tool", async (id) => {
  const calls: string[] = [];
  await expect(setPartition(outside(calls), { id, deadlineMs: 1 }, true)).rejects.toMatchObject({
    code: "invalid",
  });
  expect(calls).toEqual([]);
});

test("modules count from 0, addresses are the kernel's, and unseen GPUs have none", () => {
  const gpus = [gpu(5, "00000000:0F:00.0"), gpu(7, "00000000:00:00.0"), gpu(8)];
  const other = partition(1, [gpu(1, "0000:86:00.0")]);
  expect(parsePartitions(listing(partition(2, gpus, 1), other))).toEqual([
    { id: 1, active: false, gpus: [{ module: 0, pciAddress: "0000:86:00.0" }] },
    {
      id: 2,
      active: true,
      gpus: [
        { module: 4, pciAddress: "0000:0f:00.0" },
        { module: 6, pciAddress: "" },
        { module: 7, pciAddress: "" },
      ],
    },
  ]);
});

test.each([
  ["", "nothing"],
  ["Failed to get partition list. fmReturn: -8", "a complaint"],
  ["{}", "no list"],
  [listing({ ...partition(1, [gpu(1)]), numGpus: 2 }), "a GPU missing"],
  [listing(partition(1, [gpu(0)])), "a module 0"],
  [listing({ ...partition(1, [gpu(1)]), isActive: 7 }), "no state"],
  [listing(partition(1, [gpu(1)]), partition(1, [gpu(2)])), "an id twice"],
  [listing(partition(99, [gpu(1)])), "an id too high"],
])("%s is not taken for partitions: %s", (text) => {
  expect(() => parsePartitions(text)).toThrow(expect.objectContaining({ code: "unavailable" }));
});
