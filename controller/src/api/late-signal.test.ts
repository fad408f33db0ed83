// A signal that is made late aborts like one that was there from the start.
import { expect, test } from "vitest";
import { LateSignal } from "./late-signal.js";

test("a signal asked for after the end has aborted already, for the first reason", () => {
  const late = new LateSignal();
  late.end("first");
  late.end("second");
  expect(late.signal).toMatchObject({ aborted: true, reason: "first" });
});

test("a signal asked for before the end aborts with it, or with the first of the others", () => {
  const other = new LateSignal();
  const late = new LateSignal(() => [other.signal]);
  const { signal } = late;
  expect(signal.aborted).toBe(false);
  other.end("gone");
  expect(signal).toMatchObject({ aborted: true, reason: "gone" });
});
