// Proves that a seed decides everything and that forks are independent.
import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRng, systemRng } from "./rng.js";

test("the same seed gives the same values, another seed others", () => {
  const draw = (seed: string) => [...seededRng(seed).bytes(64)];
  expect(draw("a")).toEqual(draw("a"));
  expect(draw("a")).not.toEqual(draw("b"));
});

test("how the bytes are drawn does not change them", () => {
  const whole = seededRng("s").bytes(40);
  const parts = seededRng("s");
  expect([...parts.bytes(7), ...parts.bytes(33)]).toEqual([...whole]);
});

test("drawing from a fork does not change its parent", () => {
  const parent = seededRng("s");
  parent.fork("child").bytes(100);
  expect([...parent.bytes(8)]).toEqual([...seededRng("s").bytes(8)]);
  expect([...parent.fork("a").bytes(8)]).not.toEqual([...parent.fork("b").bytes(8)]);
});

test("a whole number stays below its bound", () => {
  const rng = systemRng();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (below) => {
      const value = rng.int(below);
      return Number.isInteger(value) && value >= 0 && value < below;
    }),
  );
});
