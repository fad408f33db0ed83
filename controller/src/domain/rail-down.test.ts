// When rails that are down stop an instance, and which rails count as down.
import { expect, test } from "vitest";
import type { Attachment } from "./attachment.js";
import type { Instance } from "./instance.js";
import type { InstanceProfile } from "./profile.js";
import { railsDown, stopsForRails } from "./rail-down.js";

const PAIRS = [0, 1, 2, 3].map((k) => ({ rail: k + 4, gpu: `g${k}`, nic: `n${k}` }));
const INSTANCE = { placement: { pairs: PAIRS } } as unknown as Instance;
const PROFILE = { attachmentLayout: "blocked" } as InstanceProfile;

function attachments(count: number, degraded: readonly number[]): readonly Attachment[] {
  return Array.from({ length: count }, (_, position) => {
    const observed = degraded.includes(position) ? "degraded" : "applied";
    return { position, observed } as Attachment;
  });
}

function judged(spoiled: readonly string[]) {
  return PAIRS.map((pair) => ({ ...pair, healthy: !spoiled.includes(pair.nic) }));
}

test("a rail is down when one of its attachments is degraded and its node says the same", () => {
  const of = (degraded: readonly number[], spoiled: readonly string[]) =>
    railsDown(INSTANCE, {
      profile: PROFILE,
      attachments: attachments(8, degraded),
      pairs: judged(spoiled),
    });
  expect(of([2, 3, 7], ["n1", "n3"])).toEqual([5, 7]);
  expect(of([2, 3, 7], ["n3"])).toEqual([7]);
  expect(of([], ["n0"])).toEqual([]);
});

test("what a withheld inventory would condemn does not count", () => {
  const all = attachments(4, [0, 1, 2, 3]);
  const seen = { profile: PROFILE, attachments: all, pairs: judged([]) };
  expect(railsDown(INSTANCE, seen)).toEqual([]);
});

test("an instance is stopped when more rails are down than its profile can spare", () => {
  const stop = { rails: 8, minRails: 6, onRailDown: "stop" } as const;
  expect([0, 2, 3].map((down) => stopsForRails(stop, down))).toEqual([false, false, true]);
  expect(stopsForRails({ ...stop, onRailDown: "keep" }, 8)).toBe(false);
});
