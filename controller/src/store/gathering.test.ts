// When a batch begins and how large it is.
import { expect, test } from "vitest";
import { Gathering } from "./gathering.js";

/** After a batch of half of so many callers. */
function after(callers: number): Gathering {
  const gathering = new Gathering();
  gathering.take(callers, 256);
  gathering.take(callers / 2, 256);
  gathering.begin(100);
  return gathering;
}

test("many callers are taken in halves, few all at once", () => {
  expect(new Gathering().take(64, 256)).toBe(32);
  expect(after(64).take(32, 256)).toBe(32);
  expect(new Gathering().take(12, 256)).toBeGreaterThanOrEqual(12);
  expect(new Gathering().take(1_000, 256)).toBe(256);
});

test("a batch waits until half of the callers are there", () => {
  const gathering = after(64);
  expect(gathering.goesOn(31, 100)).toBe(true);
  expect(gathering.goesOn(32, 100)).toBe(false);
});

test("it does not wait for more than it takes", () => {
  const gathering = new Gathering();
  gathering.take(1_000, 256);
  gathering.take(600, 256);
  gathering.begin(100);
  expect(gathering.goesOn(255, 100)).toBe(true);
  expect(gathering.goesOn(256, 100)).toBe(false);
});

test("it does not wait when nobody comes any more, nor longer than four milliseconds", () => {
  const quiet = after(64);
  expect(quiet.goesOn(3, 100)).toBe(true);
  expect(quiet.goesOn(3, 100.3)).toBe(true);
  expect(quiet.goesOn(4, 100.6)).toBe(true);
  expect(quiet.goesOn(4, 100.9)).toBe(true);
  expect(quiet.goesOn(4, 101.1)).toBe(false);
  const busy = after(64);
  const looks = Array.from({ length: 20 }, (_, i) => busy.goesOn(i + 1, 100 + i / 3));
  expect(looks.indexOf(false)).toBe(13);
});

test("nobody waits after a small batch, for nothing, or by a clock that stands still", () => {
  expect(after(8).goesOn(1, 100)).toBe(false);
  expect(after(64).goesOn(0, 100)).toBe(false);
  const still = after(64);
  let looks = 0;
  while (still.goesOn(1, 100)) looks++;
  expect(looks).toBeLessThan(10_000);
});
