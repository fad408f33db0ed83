// Tests of what is kept of the objects that were read, for whom and how long.
import type { AccountId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { ShownCache } from "./shown-cache.js";

const OWNER = "acc-1" as AccountId;
const STRANGER = "acc-2" as AccountId;

function of(id: string) {
  return { kind: "instance", id };
}

test("an object is found by its owner alone, until it is touched", () => {
  const cache = new ShownCache();
  const object = new Uint8Array([1]);
  cache.keep(OWNER, of("one"), object);
  expect([cache.find(OWNER, of("one")), cache.find(STRANGER, of("one"))]).toEqual([
    object,
    undefined,
  ]);
  cache.forget({ kind: "attachment", id: "one" });
  expect(cache.find(OWNER, of("one"))).toBe(object);
  cache.forget(of("one"));
  expect(cache.find(OWNER, of("one"))).toBeUndefined();
});

test("what is asked for stays, what is not makes room, and what went stays gone", () => {
  const cache = new ShownCache(40_000);
  const object = new Uint8Array(1_000);
  cache.keep(OWNER, of("asked"), object);
  cache.keep(OWNER, of("touched"), object);
  for (let i = 0; i < 200; i++) {
    cache.keep(OWNER, of(`${i}`), object);
    expect(cache.find(OWNER, of("asked"))).toBe(object);
    if (i === 20) cache.forget(of("touched"));
  }
  const kept = Array.from({ length: 200 }, (_, i) => cache.find(OWNER, of(`${i}`)) ?? []);
  expect(kept.flat().length).toBeLessThan(40);
  expect(cache.find(OWNER, of("touched"))).toBeUndefined();
  expect(cache.find(OWNER, of("0"))).toBeUndefined();
});
