// Explanations against the plain search over small random fleets: counts that add up, refusals that
// are true, and changes of which each places, is the smallest of its kind, and is not kept back.
import { changesFor, type HeldRooms } from "@railyard/controller/placement/changes";
import { explain, REJECTED_MAX } from "@railyard/controller/placement/explain";
import type { FleetNode } from "@railyard/controller/placement/fleet";
import { FleetIndex } from "@railyard/controller/placement/fleet-index";
import type { GangRequest } from "@railyard/controller/placement/gang";
import { choose } from "@railyard/controller/placement/place";
import { type Ask, giveBack, take, tryAsk } from "@railyard/controller/placement/trial";
import type { HoldId, NodeId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyNodes, anyRequest, indexOf } from "./fleets.js";
import { bestScore, mostThatFit } from "./gang-oracle.js";
import { anyGang, someNodes } from "./gangs.js";
import { bundlesFor, takes } from "./oracle.js";

const RUNS = { numRuns: 500 };
/** The search looks at every way. */
const NODES_MAX = 6;

function gangAsk(gang: GangRequest): Ask {
  return { kind: "gang", gang };
}

/** Holds of what is taken on these nodes: hold `holder[i]` of node i, ending in that order. */
function holdsOn(nodes: readonly FleetNode[], holders: readonly number[]): readonly HeldRooms[] {
  return [0, 1, 2].map((hold) => ({
    holdId: `hold-${hold}` as HoldId,
    endsAt: 1_000 + hold,
    rooms: nodes.flatMap(({ nodeId, pairs }, i) => {
      if (holders[i] !== hold) return [];
      const taken = pairs.reduce((mask, { free }, p) => (free ? mask : mask | (1 << p)), 0);
      return [{ nodeId, pairs: taken, vcpu: 8, memoryMib: 32, diskGib: 0 }];
    }),
  }));
}

/** The nodes when the first `ended` of those holds are over. */
function afterwards(nodes: readonly FleetNode[], holders: readonly number[], ended: number) {
  return nodes.map((node, i): FleetNode => {
    if ((holders[i] ?? 9) >= ended) return node;
    const { vcpu, memoryMib, diskGib } = node.free;
    return {
      ...node,
      pairs: node.pairs.map((pair) => ({ ...pair, free: true })),
      free: { vcpu: vcpu + 8, memoryMib: memoryMib + 32, diskGib },
    };
  });
}

function healed(nodes: readonly FleetNode[], which: (node: FleetNode) => boolean) {
  return nodes.map((node): FleetNode => {
    if (!which(node)) return node;
    return { ...node, pairs: node.pairs.map((pair) => ({ ...pair, healthy: true })) };
  });
}

const anyHolders = () => fc.array(fc.nat(4), { minLength: 6, maxLength: 6 });

interface Asked {
  readonly nodes: readonly FleetNode[];
  readonly gang: GangRequest;
}

/** Any gang of any fleet, and often one of a free fleet that its limit or sick rails keep out. */
function anyAsked(): fc.Arbitrary<Asked> {
  const kind = fc.constantFrom("any", "any", "any", "scattered", "sick");
  return fc
    .record({ nodes: someNodes(2), gang: anyGang(), kind, rail: fc.nat(7) })
    .map(({ nodes, gang, kind, rail }) => {
      if (kind === "any") return { nodes, gang };
      if (kind === "sick") return { nodes: allFree(nodes, rail), gang };
      const apart = nodes.map((node, i) => ({ ...node, leafGroup: `su${i}` }));
      return { nodes: allFree(apart), gang: { ...gang, count: 2, maxLeafGroups: 1 } };
    });
}

/** With every pair free; all are well but those of that rail, if one is named. */
function allFree(nodes: readonly FleetNode[], sick?: number): readonly FleetNode[] {
  return nodes.map((node) => {
    const pairs = node.pairs.map((pair) => ({ ...pair, free: true, healthy: pair.rail !== sick }));
    return { ...node, pairs };
  });
}

test("every change that is said places, is the smallest of its kind, and none is kept back", () => {
  const said = { "leaf-groups": 0, fewer: 0, "sick-rails": 0, "hold-ends": 0, "more-nodes": 0 };
  fc.assert(
    fc.property(anyAsked(), anyHolders(), ({ nodes, gang }, holders) => {
      if (bestScore(nodes, gang)) return;
      const another = healed([nodes[0]!], () => true)[0]!;
      const changeable = { holds: holdsOn(nodes, holders), another };
      const changes = changesFor(indexOf(nodes), gangAsk(gang), changeable);
      const of = <K extends keyof typeof said>(kind: K) => {
        const found = changes.find((change) => change.kind === kind);
        if (found) said[kind] += 1;
        return found as Extract<(typeof changes)[number], { kind: K }> | undefined;
      };
      const places = (on: readonly FleetNode[], asked = gang) => bestScore(on, asked) !== undefined;

      const groups = of("leaf-groups")?.maxLeafGroups;
      const within = (maxLeafGroups: number | undefined) => ({ ...gang, maxLeafGroups });
      expect(groups !== undefined).toBe(places(nodes, within(undefined)));
      if (groups) expect(places(nodes, within(groups))).toBe(true);
      if (groups) expect(places(nodes, within(groups - 1))).toBe(false);

      expect(of("fewer")?.count ?? 0).toBe(mostThatFit(nodes, gang));

      const sick = of("sick-rails");
      const attached = gang.member.attachmentCount > 0;
      expect(sick !== undefined).toBe(attached && places(healed(nodes, () => true)));
      if (sick) expect(places(healed(nodes, (n) => sick.nodes.includes(n.nodeId)))).toBe(true);

      const ending = of("hold-ends");
      expect(ending !== undefined).toBe(places(afterwards(nodes, holders, 3)));
      const ended = Number(ending?.holdId.slice(-1)) + 1;
      if (ending) expect(places(afterwards(nodes, holders, ended))).toBe(true);
      if (ending) expect(places(afterwards(nodes, holders, ended - 1))).toBe(false);

      const more = of("more-nodes")?.count;
      if (!more || nodes.length + more > NODES_MAX) return;
      const larger = (count: number) => [
        ...nodes,
        ...Array.from({ length: count }, (_, i) => {
          return { ...another, nodeId: `m${i}` as NodeId };
        }),
      ];
      expect(places(larger(more))).toBe(true);
      expect(places(larger(more - 1))).toBe(false);
    }),
    { numRuns: 1_000 },
  );
  for (const [kind, count] of Object.entries(said)) expect(count, kind).toBeGreaterThan(0);
});

test("the counts add up, a node fits exactly when the search finds a place on it", () => {
  fc.assert(
    fc.property(anyNodes(6), anyRequest(), (nodes, request) => {
      const found = explain(indexOf(nodes), { kind: "one", request });
      const fitting = nodes.filter(
        (node) => takes(node, request) && bundlesFor(node, request).length > 0,
      );
      expect(found.considered).toBe(nodes.length);
      expect(found.fitting).toBe(fitting.length);
      const removed = found.removed.reduce((sum, { count }) => sum + count, 0);
      expect(removed).toBe(nodes.length - fitting.length);
      for (const { count, examples } of [...found.removed, ...found.preferred]) {
        expect(examples).toHaveLength(Math.min(count, 8));
      }
      expect(found.trial.fits).toBe(fitting.length > 0);
      const choice = choose(indexOf(nodes), request);
      expect(found.trial.fits ? found.trial.members[0] : undefined).toEqual(
        choice && { ...choice, leafGroup: expect.anything() },
      );
    }),
    RUNS,
  );
});

test("the rejected that come closest fail something, those with the fewest failures first", () => {
  fc.assert(
    fc.property(anyNodes(6), anyRequest(), (nodes, request) => {
      const { rejected } = explain(indexOf(nodes), { kind: "one", request });
      expect(rejected.length).toBeLessThanOrEqual(REJECTED_MAX);
      for (const { nodeId, rules } of rejected) {
        expect(rules.length).toBeGreaterThan(0);
        const node = nodes.find((one) => one.nodeId === nodeId)!;
        expect(takes(node, request) && bundlesFor(node, request).length > 0).toBe(false);
        expect(rules.includes("eligible")).toBe(!node.eligible);
        expect(rules.includes("leaseFresh")).toBe(!node.leaseFresh);
      }
      const failures = rejected.map(({ rules }) => {
        const apart = rules.filter((rule) => !/^(railsHealthy|railSet|bundleFree)$/.test(rule));
        return apart.length + (apart.length < rules.length ? 1 : 0);
      });
      expect(failures).toEqual([...failures].sort((a, b) => a - b));
    }),
    RUNS,
  );
});

function factsOf(index: FleetIndex) {
  const facts = [...index.nodes()].map((node) => {
    const { nodeId, healthy, free, vcpu, memoryMib, diskGib, group } = node;
    const { started, wholeFree } = group;
    return { nodeId, healthy, free, vcpu, memoryMib, diskGib, started, wholeFree };
  });
  return facts.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

test("asking leaves the fleet as it was, and the order of nodes decides nothing", () => {
  fc.assert(
    fc.property(someNodes(2), anyGang(), anyHolders(), (nodes, gang, holders) => {
      const index = indexOf(nodes);
      const before = factsOf(index);
      const on = { holds: holdsOn(nodes, holders), another: nodes[0] };
      const ask = (fleet: FleetIndex, asked: Ask) => {
        const changes = tryAsk(fleet, asked).fits ? [] : changesFor(fleet, asked, on);
        return [explain(fleet, asked), changes];
      };
      const said = ask(index, gangAsk(gang));
      expect(factsOf(index)).toEqual(before);
      expect(ask(index, gangAsk(gang))).toEqual(said);
      expect(ask(indexOf([...nodes].reverse()), gangAsk(gang))).toEqual(said);
    }),
    { numRuns: 200 },
  );
});

test("a copy of a fleet answers as the fleet would after the same changes", () => {
  fc.assert(
    fc.property(someNodes(2), anyGang(), fc.nat(11), (nodes, gang, nth) => {
      const index = indexOf(nodes);
      if (nth > 5) tryAsk(index, gangAsk(gang));
      const node = nodes[nth % nodes.length]!;
      const copy = new FleetIndex(index);
      const all = { nodeId: node.nodeId, pairs: 255, vcpu: 4, memoryMib: 16, diskGib: 1 };
      take(copy, all);
      const { vcpu, memoryMib, diskGib } = node.free;
      const used: FleetNode = {
        ...node,
        pairs: node.pairs.map((pair) => ({ ...pair, free: false })),
        free: { vcpu: vcpu - 4, memoryMib: memoryMib - 16, diskGib: diskGib - 1 },
      };
      const fresh = indexOf(nodes.map((one) => (one === node ? used : one)));
      expect(tryAsk(copy, gangAsk(gang))).toEqual(tryAsk(fresh, gangAsk(gang)));
      expect(factsOf(copy)).toEqual(factsOf(fresh));
      expect(factsOf(index)).toEqual(factsOf(indexOf(nodes)));
      giveBack(copy, { ...all, pairs: 0 });
      expect(factsOf(copy)).toEqual(
        factsOf(indexOf(nodes.map((one) => (one === node ? { ...used, free: node.free } : one)))),
      );
    }),
    RUNS,
  );
});
