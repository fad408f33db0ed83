// The fleet's silence as it is kept, against all nodes looked at each time; and how seldom a node
// is looked at.
import type { Clock } from "@railyard/lib/clock";
import type { NodeId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { NodeFence, NodeSilence } from "../domain/node.js";
import { isMassSilence, shareOf, verdictOn } from "../domain/node-silence.js";
import { Leases } from "./leases.js";
import type { BookedNode } from "./node-book.js";
import { SilenceWatch } from "./silence-watch.js";

const LEASE_MS = 1_000;
const SAID = {
  ...{ session: "s", epoch: 1n, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" },
};

class CountingLeases extends Leases {
  looks = 0;
  override fresh(node: NodeId): boolean {
    this.looks += 1;
    return super.fresh(node);
  }
}

/** Moved by hand; nothing waits for it. */
class BareClock implements Clock {
  private at = 0;
  now(): number {
    return this.at;
  }
  monotonic(): number {
    return this.at;
  }
  after(): never {
    throw new Error("nothing here waits");
  }
  pass(ms: number): void {
    this.at += ms;
  }
}

type Booked = Pick<BookedNode, "id" | "silence" | "fence" | "retired" | "registeredAt">;

interface Known {
  readonly state?: NodeSilence["state"];
  readonly isFenced?: boolean;
}

function yard() {
  const clock = new BareClock();
  const leases = new CountingLeases(clock, LEASE_MS);
  const watch = new SilenceWatch(leases);
  const nodes = new Map<NodeId, Booked>();
  const put = (name: string, { state, isFenced = false }: Known = {}) => {
    const id = name as NodeId;
    const silence = state && { state, since: 0, reason: "" };
    const fence = isFenced ? ({} as NodeFence) : undefined;
    const node = { id, silence, fence, retired: false, registeredAt: 0 };
    nodes.set(id, node);
    watch.put(id, node);
  };
  const beat = (name: string) => void leases.beat(name as NodeId, SAID);
  const look = () => {
    watch.catchUp(clock.monotonic());
    return { spared: watch.spared, judged: [...watch.toJudge()].sort() };
  };
  return { clock, leases, watch, nodes, put, beat, look };
}

/** What a look at every node finds. */
function scanned({ leases, nodes }: ReturnType<typeof yard>) {
  const all = [...nodes.values()].map(({ id, silence, fence }) => {
    const known = silence?.state;
    const isFresh = leases.fresh(id);
    return { id, known, isFenced: !!fence, silentMs: leases.silentMs(id), isFresh };
  });
  const shares = all.map((node) => shareOf(node, LEASE_MS));
  const counted = shares.filter(({ isCounted }) => isCounted).length;
  const isMass = isMassSilence({ counted, quiet: shares.filter(({ isQuiet }) => isQuiet).length });
  const overdue = all.filter(({ isFenced, silentMs }) => !isFenced && silentMs > LEASE_MS);
  const judged = all.filter((node) => {
    const verdict = verdictOn(node, LEASE_MS);
    return verdict === "heard" || (verdict && !isMass);
  });
  return { spared: isMass ? overdue.length : 0, judged: judged.map(({ id }) => id).sort() };
}

const NAMES = ["a", "b", "c", "d", "e"];
const anyName = fc.constantFrom(...NAMES);
const anyState = fc.constantFrom(undefined, undefined, "suspect" as const, "lost" as const);
const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ beat: anyName }) },
  { weight: 6, arbitrary: fc.record({ waitMs: fc.constantFrom(1, 200, 300, 499, 500, 501) }) },
  { weight: 1, arbitrary: fc.record({ waitMs: fc.constantFrom(1_000, 3_000, 100_000) }) },
  { weight: 2, arbitrary: fc.record({ put: anyName, state: anyState, isFenced: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ leave: anyName }) },
  { weight: 1, arbitrary: fc.record({ forget: anyName }) },
  { weight: 1, arbitrary: fc.constant({ attend: true }) },
  { weight: 4, arbitrary: fc.constant({ look: true }) },
);
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

function act(of: ReturnType<typeof yard>, step: Step): void {
  if ("beat" in step) of.beat(step.beat);
  else if ("waitMs" in step) of.clock.pass(step.waitMs);
  else if ("put" in step) {
    const { put, state, isFenced } = step;
    of.put(put, { ...(state && { state }), isFenced });
  } else if ("leave" in step) {
    of.nodes.delete(step.leave as NodeId);
    of.watch.put(step.leave as NodeId, undefined);
  } else {
    // A restart forgets, and listens anew.
    if ("forget" in step) of.leases.forget(step.forget as NodeId);
    of.leases.attend();
  }
}

test("it knows what a look at every node finds, whatever happens and however time jumps", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
      const of = yard();
      of.leases.attend();
      for (const name of NAMES) of.put(name);
      for (const name of NAMES) of.beat(name);
      for (const step of steps) {
        if ("look" in step) expect(of.look()).toEqual(scanned(of));
        else act(of, step);
      }
      expect(of.look()).toEqual(scanned(of));
    }),
    { numRuns: 500 },
  );
});

test("nodes that were never heard are silent since somebody listened", () => {
  const { clock, leases, put, beat, look } = yard();
  for (const name of ["a", "b", "c", "d", "e"]) put(name);
  clock.pass(10 * LEASE_MS);
  expect(look()).toEqual({ spared: 0, judged: [] });
  leases.attend();
  clock.pass(LEASE_MS);
  for (const name of ["c", "d", "e"]) beat(name);
  expect(look().judged).toEqual([]);
  clock.pass(1);
  expect(look().judged).toEqual(["a", "b"]);
});

test("a node known to be silent is heard again, although nobody saw its lease run out", () => {
  const { clock, leases, put, beat, look } = yard();
  beat("a");
  clock.pass(2 * LEASE_MS);
  leases.attend();
  put("a", { state: "suspect" });
  beat("a");
  expect(look().judged).toEqual(["a"]);
});

test("when thousands fall silent at once none is judged, and each as soon as it is heard", () => {
  const { clock, leases, put, beat, look } = yard();
  leases.attend();
  const names = Array.from({ length: 4_000 }, (_, i) => `n${i}`);
  for (const name of names) {
    put(name, name === "n7" ? { state: "suspect" } : {});
    if (name !== "n7") beat(name);
  }
  clock.pass(LEASE_MS + 1);
  expect(look()).toEqual({ spared: 4_000, judged: [] });
  leases.looks = 0;
  expect(look()).toEqual({ spared: 4_000, judged: [] });
  expect(leases.looks).toBe(0);
  beat("n7");
  expect(look()).toEqual({ spared: 3_999, judged: ["n7"] });
  for (const name of names.slice(0, 2_500)) beat(name);
  put("n7");
  expect(look()).toEqual({ spared: 0, judged: names.slice(2_500).sort() });
});

test("a node that is heard often is never looked at, however often the fleet is judged", () => {
  const { clock, leases, put, beat, look } = yard();
  leases.attend();
  const names = Array.from({ length: 500 }, (_, i) => `n${i}`);
  for (const name of names) {
    put(name);
    beat(name);
  }
  leases.looks = 0;
  for (let pass = 0; pass < 100; pass++) {
    clock.pass(LEASE_MS / 10);
    if (pass % 2 === 0) for (const name of names) beat(name);
    expect(look()).toEqual({ spared: 0, judged: [] });
  }
  expect(leases.looks).toBe(0);
});
