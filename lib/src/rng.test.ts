// Proves that a seed decides everything and that forks are independent.
import fc from "fast-check";
import { expect, test } from "vitest";
import { repeating, seededRng, systemRng } from "./rng.js";

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

test("the system's bytes are as many as asked for, and never the same", () => {
  const sizes = [1, 4, 32, 511, 512, 513, 5_000, 0];
  for (const n of sizes) expect(systemRng().bytes(n)).toHaveLength(n);
  const drawn = Array.from({ length: 2_000 }, () =>
    Buffer.from(systemRng().bytes(16)).toString("hex"),
  );
  expect(new Set(drawn).size).toBe(2_000);
});

test("repeating generators draw the same, however much each of them takes", () => {
  const again = repeating(seededRng("s"));
  const [first, second, third] = [again(), again(), again()];
  const short = [...first.bytes(10)];
  const long = [...second.bytes(700)];
  expect(long.slice(0, 10)).toEqual(short);
  expect([...first.bytes(690)]).toEqual(long.slice(10));
  expect(third.int(1_000)).toBe(again().int(1_000));
  expect([...first.fork("a").bytes(8)]).toEqual([...third.fork("a").bytes(8)]);
  expect([...first.fork("a").bytes(8)]).not.toEqual([...first.fork("b").bytes(8)]);
  expect(long).not.toEqual([...repeating(seededRng("t"))().bytes(700)]);
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
