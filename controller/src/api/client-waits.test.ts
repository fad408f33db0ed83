// Tests of what is waited for from clients: for how long, and how much all of it may hold.
import { ManualClock } from "@railyard/lib/clock";
import type { RailyardError } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { CLIENT_BYTES_MAX, CLIENT_MS_MAX, ClientWaits } from "./client-waits.js";

function open() {
  const clock = new ManualClock();
  const waits = new ClientWaits(clock);
  const givenUp: string[] = [];
  const begin = (name: string, bytes = 1) => {
    const wait = { givenUp: ({ code }: RailyardError) => void givenUp.push(`${name} ${code}`) };
    waits.begin(wait, bytes);
    return wait;
  };
  return { clock, waits, givenUp, begin };
}

test("who keeps others waiting too long is given up, who does not is not", async () => {
  const { clock, waits, givenUp, begin } = open();
  begin("slow");
  const fast = begin("fast");
  await clock.advance(CLIENT_MS_MAX / 2);
  waits.end(fast);
  begin("late");
  await clock.advance(CLIENT_MS_MAX / 2);
  expect(givenUp).toEqual([]);
  await clock.advance(2_000);
  expect(givenUp).toEqual(["slow deadline"]);
  await clock.advance(CLIENT_MS_MAX);
  expect(givenUp).toEqual(["slow deadline", "late deadline"]);
});

test("where too much is held, whoever has waited longest is given up", () => {
  const { waits, givenUp, begin } = open();
  const half = CLIENT_BYTES_MAX / 2;
  begin("first", half);
  const second = begin("second", half);
  begin("third", half);
  expect(givenUp).toEqual(["first unavailable"]);
  waits.end(second);
  waits.end(second);
  begin("fourth", half);
  expect(givenUp).toHaveLength(1);
});

test("as many are given up as it takes", () => {
  const { givenUp, begin } = open();
  for (const name of ["a", "b", "c", "d"]) begin(name, CLIENT_BYTES_MAX / 4);
  begin("large", CLIENT_BYTES_MAX / 2);
  expect(givenUp).toEqual(["a unavailable", "b unavailable"]);
});
