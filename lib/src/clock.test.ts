// Proves the clock's words: order of timers, deadlines, sleeping and aborting.
import { expect, test } from "vitest";
import { ManualClock, sleep, systemClock, unlessAborted, withDeadline } from "./clock.js";

test("timers fire in time order, then in the order they were set", async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  clock.after(20, () => seen.push("late"));
  clock.after(10, () => seen.push("first"));
  clock.after(10, () => seen.push("second"));
  await clock.advance(15);
  expect(seen).toEqual(["first", "second"]);
  await clock.advance(5);
  expect(seen).toEqual(["first", "second", "late"]);
});

test("a cancelled timer never fires", async () => {
  const clock = new ManualClock();
  let fired = false;
  clock
    .after(5, () => {
      fired = true;
    })
    .cancel();
  await clock.advance(10);
  expect(fired).toBe(false);
});

test("sleep ends early when its signal aborts", async () => {
  const stop = new AbortController();
  const sleeping = sleep(systemClock(), 60_000, stop.signal);
  stop.abort();
  await sleeping;
});

test("a deadline names what did not answer", async () => {
  const clock = new ManualClock();
  const never = new Promise<void>(() => undefined);
  const waited = withDeadline(clock, { ms: 100, what: "the tool" }, never);
  const outcome = expect(waited).rejects.toMatchObject({
    code: "deadline",
    message: "the tool did not answer within 100 ms",
  });
  await clock.advance(100);
  await outcome;
});

test("an answer is waited for only until the signal aborts", async () => {
  const stop = new AbortController();
  const never = new Promise<void>(() => undefined);
  const waited = unlessAborted(stop.signal, never);
  expect(await unlessAborted(stop.signal, Promise.resolve(7))).toBe(7);
  stop.abort();
  await expect(waited).rejects.toMatchObject({ code: "unavailable" });
  await expect(unlessAborted(stop.signal, never)).rejects.toMatchObject({ code: "unavailable" });
});

test("an answer in time passes through a deadline", async () => {
  const answer = await withDeadline(systemClock(), { ms: 1000, what: "x" }, Promise.resolve(7));
  expect(answer).toBe(7);
});
