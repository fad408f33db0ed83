// Tests of when lines are written: together, but never later than the turn or an error.
import { pino } from "pino";
import { expect, test } from "vitest";
import { ManualClock } from "./clock.js";
import { Lines, timestamps } from "./log.js";

function gathered() {
  const written: string[] = [];
  const lines = new Lines({ write: (text) => void written.push(text) });
  return { written, lines, log: pino({ timestamp: false, base: null }, lines) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("lines of one turn are written together at its end", async () => {
  const { written, log } = gathered();
  log.info("one");
  log.info("two");
  expect(written).toEqual([]);
  await turn();
  expect(written).toEqual(['{"level":30,"msg":"one"}\n{"level":30,"msg":"two"}\n']);
  await turn();
  expect(written.length).toBe(1);
});

test("an error is written at once, after what was said before it", () => {
  const { written, log } = gathered();
  log.info("before");
  log.child({ part: "x" }).error("bad");
  expect(written).toEqual(['{"level":30,"msg":"before"}\n{"level":50,"part":"x","msg":"bad"}\n']);
});

test("the end of the process takes along what waits, and a flood does not wait", () => {
  const { written, lines, log } = gathered();
  log.info("last");
  lines.flushSync();
  expect(written).toEqual(['{"level":30,"msg":"last"}\n']);
  for (let i = 0; i < 256; i++) log.info("again");
  expect(written.length).toBe(2);
});

test("a line says when, to the millisecond, in UTC", async () => {
  const clock = new ManualClock(Date.UTC(2025, 1, 3, 4, 5, 6, 7));
  const time = timestamps(clock);
  const seen = [time()];
  for (const ms of [90, 902, 1, 60_000]) {
    await clock.advance(ms);
    seen.push(time());
  }
  expect(seen).toEqual([
    ',"time":"2025-02-03T04:05:06.007Z"',
    ',"time":"2025-02-03T04:05:06.097Z"',
    ',"time":"2025-02-03T04:05:06.999Z"',
    ',"time":"2025-02-03T04:05:07.000Z"',
    ',"time":"2025-02-03T04:06:07.000Z"',
  ]);
});
