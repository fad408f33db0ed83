// What is remembered of guests that ended by themselves.
import { expect, test } from "vitest";
import type { ObservedGuest } from "../model.js";
import { Ends } from "./ends.js";

function guest(change: Partial<ObservedGuest>): ObservedGuest {
  const plain = { bootCount: 1, vcpu: 1, memoryMib: 64, functions: [], addresses: {} };
  return { instanceId: "ins-1", running: false, ...plain, ...change };
}

test("an end is news once, and is told until the guest runs again", () => {
  const ends = new Ends();
  const dead = guest({ ended: "qemu was killed by SIGSEGV" });
  expect(ends.note([dead])).toEqual(["ins-1"]);
  expect(ends.note([dead])).toEqual([]);
  expect(ends.note([guest({})])).toEqual([]);
  expect(ends.byInstance.get("ins-1")).toBe("qemu was killed by SIGSEGV");
  ends.note([guest({ running: true })]);
  expect(ends.byInstance.size).toBe(0);
  expect(ends.note([dead])).toEqual(["ins-1"]);
});

test("nothing is remembered of a guest that is gone, nor of one that ended well", () => {
  const ends = new Ends();
  ends.note([guest({ ended: "qemu exited with 1" })]);
  ends.note([]);
  expect(ends.byInstance.size).toBe(0);
  expect(ends.note([guest({})])).toEqual([]);
});
