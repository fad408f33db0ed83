// When a batch begins and how large it is.
import { expect, test } from "vitest";
import { Gathering } from "./gathering.js";

/** After a batch of so many callers, while nobody else came. */
function after(callers: number): Gathering {
  const gathering = new Gathering();
  gathering.took(callers, 0);
  gathering.begin(0, 100);
  return gathering;
}

test("a batch waits for those who were answered, and for nobody else", () => {
  const gathering = new Gathering();
  gathering.took(40, 0);
  gathering.begin(24, 100);
  expect(gathering.goesOn(63, 100)).toBe(true);
  expect(gathering.goesOn(64, 100)).toBe(false);
});

test("what a full batch left does not wait", () => {
  const gathering = new Gathering();
  gathering.took(256, 10);
  gathering.begin(10, 100);
  expect(gathering.goesOn(10, 100)).toBe(false);
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
  expect(after(7).goesOn(1, 100)).toBe(false);
  expect(after(64).goesOn(0, 100)).toBe(false);
  const still = after(64);
  let looks = 0;
  while (still.goesOn(1, 100)) looks++;
  expect(looks).toBeLessThan(10_000);
});
