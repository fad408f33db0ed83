// Makes are numbered by arrangement, and machines that tell ever new ones push out none.
import { expect, test } from "vitest";
import type { FleetNode } from "./fleet.js";
import { MAKES_MAX, Makes } from "./make.js";
import { sampleNode, samplePairs } from "./sample.js";

/** Its two pairs stand on rails that the number decides. */
function node(number: number): FleetNode {
  const [one, two] = samplePairs();
  return sampleNode(`node-${number}`, {
    hardware: `hgx-${number >> 4}`,
    gpuCount: 2,
    legalSets: [0b11],
    pairs: [
      { ...one!, rail: number & 15 },
      { ...two!, rail: 16 },
    ],
  });
}

test("the same arrangement has one number, another arrangement another", () => {
  const makes = new Makes();
  const numbers = [1, 2, 1, 17].map((number) => makes.numberOf(node(number)));
  expect(new Set(numbers).size).toBe(3);
  expect(numbers[0]).toBe(numbers[2]);
  expect(makes.all[numbers[3] ?? 0]).toMatchObject({ hardware: "hgx-1", gpuCount: 2 });
});

test("once numbers are out, a new arrangement offers no GPU, and the others keep theirs", () => {
  const makes = new Makes();
  const first = makes.numberOf(node(1));
  for (let number = 2; makes.all.length < MAKES_MAX; number++) makes.numberOf(node(number));
  const late = makes.numberOf(node(100_000));
  expect(makes.all[late]).toMatchObject({ gpuCount: 0, bundles: [] });
  expect(makes.all).toHaveLength(MAKES_MAX);
  expect(makes.numberOf(node(1))).toBe(first);
});
