// Proves the loop's promises: nudges collapse, periods go on, failures do not end it, stop waits.
import { expect, test } from "vitest";
import { ManualClock, settle } from "./clock.js";
import { silentLog } from "./log.js";
import { Loop } from "./loop.js";

function loopOf(runOnce: () => Promise<void>, clock = new ManualClock()) {
  const loop = new Loop({ name: "t", clock, log: silentLog(), periodMs: 1_000, runOnce });
  return { loop, clock };
}

test("it runs at once, then once a period", async () => {
  let runs = 0;
  const { loop, clock } = loopOf(async () => {
    runs += 1;
  });
  loop.start();
  await settle();
  expect(runs).toBe(1);
  await clock.advance(2_500);
  expect(runs).toBe(3);
  await loop.stop();
  await clock.advance(5_000);
  expect(runs).toBe(3);
});

test("any number of nudges during a pass cause exactly one more", async () => {
  let runs = 0;
  let finish = () => {};
  const { loop } = loopOf(() => {
    runs += 1;
    return new Promise((resolve) => {
      finish = resolve;
    });
  });
  loop.start();
  await settle();
  for (let i = 0; i < 5; i++) loop.nudge();
  finish();
  await settle();
  expect(runs).toBe(2);
  finish();
  await settle();
  expect(runs).toBe(2);
  await loop.stop();
});

test("a failed pass is reported and the next period tries again", async () => {
  let runs = 0;
  const { loop, clock } = loopOf(async () => {
    runs += 1;
    if (runs === 1) throw new Error("broken");
  });
  loop.start();
  await settle();
  expect(loop.report()).toMatchObject({ failures: 1, lastError: "broken" });
  await clock.advance(1_000);
  expect(loop.report()).toMatchObject({ runs: 2, failures: 1, lastError: undefined });
  await loop.stop();
});
