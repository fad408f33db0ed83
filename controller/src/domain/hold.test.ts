// Tests of holds' members, times and spans.
import { newId } from "@railyard/lib/ids";
import { seededRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import { holdOf, isOver, memberIds, membersOf, spansOf } from "./hold.js";

const from = { at: 1, rng: seededRng("hold") };

test("members have ids of their own that lead back to their hold", () => {
  const hold = { id: newId("hold", from), count: 64, spares: 64 };
  const ids = memberIds(hold);
  expect([ids.length, new Set(ids).size]).toEqual([membersOf(hold), 128]);
  expect(new Set(ids.map(holdOf))).toEqual(new Set([hold.id]));
  for (const id of ids) expect(id).toMatch(/^[-0-9a-z_]{1,64}$/);
});

test("an instance is no hold's member", () => {
  expect(holdOf(newId("instance", from))).toBeUndefined();
});

test("a hold is over at its time, not before", () => {
  expect([isOver({ expiresAt: 10 }, 9), isOver({ expiresAt: 10 }, 10)]).toEqual([false, true]);
});

test("spans are sizes alone, the largest first", () => {
  expect(spansOf(["a", "b", "c", "b", "c", "b"])).toEqual([3, 2, 1]);
  expect(spansOf([])).toEqual([]);
});
