// Legal sets of GPUs: whole boards always, parts only as the board's partitions allow.
import { expect, test } from "vitest";
import { legalSets, legalSizes, maskOf, sizeOf } from "./bundle.js";

const board = (count: number) => ({ gpus: { count, pci: "10de:2330", model: "H100" } });

test("without a Fabric Manager on the host only the whole board is legal", () => {
  expect(legalSets(board(8))).toEqual([0xff]);
  expect(legalSets({ ...board(8), fabricManager: false })).toEqual([0xff]);
});

test("with one, each size divides the board into sets that share no GPU", () => {
  const sets = legalSets({ ...board(8), fabricManager: true });
  for (const size of [8, 4, 2, 1]) {
    const alike = sets.filter((set) => sizeOf(set) === size);
    expect(alike).toHaveLength(8 / size);
    expect(alike.reduce((sum, set) => sum + set, 0)).toBe(0xff);
  }
  expect(sets).toContain(maskOf([0, 2]));
  expect(sets).not.toContain(maskOf([0, 1]));
});

test("a board of another size has no partitions that a Fabric Manager could know", () => {
  expect(legalSets({ ...board(4), fabricManager: true })).toEqual([0b1111]);
});

test("without NVSwitches every GPU may be given alone", () => {
  expect(legalSets({ ...board(2), nvSwitch: false })).toEqual([0b11, 0b01, 0b10]);
  expect(legalSizes({ ...board(4), nvSwitch: false })).toEqual([4, 2, 1]);
});

test("a machine without GPUs has nothing to give", () => {
  expect(legalSets(board(0))).toEqual([]);
});
