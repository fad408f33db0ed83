// Leases: begun, renewed and run out, who is told of it, and what a renewal must not renew.
import { ManualClock } from "@railyard/lib/clock";
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { Leases, type Said } from "./leases.js";

const LEASE_MS = 1_000;
const A = "node-a" as NodeId;
const B = "node-b" as NodeId;

function saidBy(session: string, over: Partial<Said> = {}): Said {
  return {
    session,
    ...{ epoch: 1n, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" },
    ...over,
  };
}

function yard() {
  const clock = new ManualClock();
  const leases = new Leases(clock, LEASE_MS);
  const changed: NodeId[] = [];
  const heard: NodeId[] = [];
  leases.onChange((node) => changed.push(node));
  leases.onHeard((node) => heard.push(node));
  const told = () => [changed.splice(0), heard.splice(0)];
  return { clock, leases, told };
}

test("a lease runs out its time after the last sign of life; begin and end are told", async () => {
  const { clock, leases, told } = yard();
  const lease = leases.beat(A, saidBy("s"));
  expect(told()).toEqual([[A], [A]]);
  await clock.advance(LEASE_MS);
  leases.lookForSilent();
  expect([leases.fresh(A), ...told()]).toEqual([true, [], []]);
  expect(leases.renew(lease, lease.said as Said)).toBe(true);
  await clock.advance(LEASE_MS);
  leases.lookForSilent();
  expect([leases.fresh(A), ...told()]).toEqual([true, [], []]);
  await clock.advance(1);
  leases.lookForSilent();
  expect([leases.fresh(A), ...told()]).toEqual([false, [A], []]);
  leases.lookForSilent();
  expect(told()).toEqual([[], []]);
  leases.beat(A, saidBy("s"));
  expect([leases.fresh(A), ...told()]).toEqual([true, [A], []]);
});

test("a lease that ran out and begins again is told of, although nobody looked", async () => {
  const { clock, leases, told } = yard();
  const lease = leases.beat(A, saidBy("s"));
  told();
  await clock.advance(LEASE_MS + 1);
  expect(leases.fresh(A)).toBe(false);
  expect(leases.renew(lease, lease.said as Said)).toBe(true);
  expect([leases.fresh(A), ...told()]).toEqual([true, [A], []]);
  leases.lookForSilent();
  expect(told()).toEqual([[], []]);
  await clock.advance(LEASE_MS + 1);
  leases.lookForSilent();
  expect([leases.fresh(A), ...told()]).toEqual([false, [A], []]);
});

test("a lease is over for who asks when it is for who is told, to the fraction", () => {
  // In doubles a sum and a difference of the same times round apart.
  const at = { now: 0 };
  const clock = { now: () => at.now, monotonic: () => at.now, after: () => ({ cancel() {} }) };
  let apart = 0;
  for (let i = 0; i < 2_000; i++) {
    const leases = new Leases(clock, 0.1);
    at.now = i / 100;
    leases.beat(A, saidBy("s"));
    let ended = false;
    leases.onChange(() => {
      ended = true;
    });
    at.now = (i + 10) / 100;
    leases.lookForSilent();
    if (leases.fresh(A) === ended) apart += 1;
  }
  expect(apart).toBe(0);
});

test("leases run out in the order in which they were renewed last", async () => {
  const { clock, leases, told } = yard();
  leases.beat(A, saidBy("a"));
  await clock.advance(10);
  leases.beat(B, saidBy("b"));
  await clock.advance(10);
  leases.beat(A, saidBy("a"));
  told();
  await clock.advance(LEASE_MS - 5);
  leases.lookForSilent();
  expect(told()).toEqual([[B], []]);
  await clock.advance(LEASE_MS);
  leases.lookForSilent();
  expect(told()).toEqual([[A], []]);
});

test("an awaited node is told of once, when it is heard next", () => {
  const { leases, told } = yard();
  const lease = leases.beat(A, saidBy("s"));
  leases.beat(B, saidBy("s"));
  told();
  leases.awaitNode(A);
  leases.beat(B, saidBy("s"));
  expect(told()).toEqual([[], []]);
  leases.renew(lease, lease.said as Said);
  expect(told()).toEqual([[], [A]]);
  leases.renew(lease, lease.said as Said);
  expect(told()).toEqual([[], []]);
});

test("what the lease does not hold any more renews nothing", async () => {
  const { clock, leases } = yard();
  const before = saidBy("s", { appliedGeneration: 3n });
  const lease = leases.beat(A, before);
  leases.accepted(A, { session: "s", epoch: 1n, acceptedGeneration: 4n });
  const now = leases.said(A);
  expect(now).toEqual({ ...before, acceptedGeneration: 4n });
  leases.accepted(A, { session: "other", epoch: 1n, acceptedGeneration: 5n });
  expect(leases.said(A)).toBe(now);
  await clock.advance(700);
  expect(leases.renew(lease, before)).toBe(false);
  await clock.advance(700);
  expect(leases.fresh(A)).toBe(false);
});

test("a forgotten node has no lease, and is new when it is heard again", async () => {
  const { clock, leases, told } = yard();
  const said = saidBy("s");
  const lease = leases.beat(A, said);
  told();
  leases.forget(A);
  expect([leases.fresh(A), leases.said(A), leases.last(A)]).toEqual([false, undefined, undefined]);
  expect(told()).toEqual([[A], []]);
  expect(leases.renew(lease, said)).toBe(false);
  leases.beat(A, said);
  expect(told()).toEqual([[A], [A]]);
  await clock.advance(LEASE_MS + 1);
  leases.lookForSilent();
  expect(told()).toEqual([[A], []]);
});

test("silence counts from the last sign of life, or from when somebody listened", async () => {
  const { clock, leases } = yard();
  leases.beat(A, saidBy("s"));
  await clock.advance(500);
  expect(leases.silentMs(A)).toBe(0);
  leases.attend();
  await clock.advance(300);
  expect([leases.silentMs(A), leases.silentMs(B)]).toEqual([300, 300]);
  leases.beat(A, saidBy("s"));
  await clock.advance(50);
  expect([leases.silentMs(A), leases.silentMs(B)]).toEqual([50, 350]);
  expect(leases.last(A)?.at).toBe(clock.now() - 50);
});
