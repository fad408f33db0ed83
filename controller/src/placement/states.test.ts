// Numbers for states: never one for two, and what happens when there are none left.
import { expect, test } from "vitest";
import { States } from "./states.js";

test("alike states have one number, others another", () => {
  const states = new States();
  const a = states.numberOf("a");
  expect(states.numberOf("b")).not.toBe(a);
  expect(states.numberOf("a")).toBe(a);
  expect(a).toBeGreaterThan(0);
});

test("a number stands for one state however many there are, also in a copy", () => {
  const states = new States();
  const first = Array.from({ length: 10_000 }, (_, n) => states.numberOf(`state ${n}`));
  const again = Array.from({ length: 10_000 }, (_, n) => states.numberOf(`state ${n}`));
  const copied = states.copy().numberOf("state 0");
  const owners = new Map<number | undefined, number>();
  for (const numbers of [first, again]) {
    for (const [n, number] of numbers.entries()) {
      expect(owners.get(number) ?? n).toBe(n);
      owners.set(number, n);
    }
  }
  expect(owners.has(copied)).toBe(false);
});

test("when numbers run out new states have none until all start over", () => {
  const states = new States(0, 2);
  expect([states.numberOf("a"), states.numberOf("b"), states.numberOf("c")]).toEqual([
    1,
    2,
    undefined,
  ]);
  expect(states.numberOf("a")).toBe(1);
  states.clear();
  expect(states.numberOf("c")).toBe(1);
});
