// Gangs against the plain search over small random fleets: the best plan, true refusals, the same
// whatever way the index came about, and the judge never disagrees.
import { checkGang } from "@railyard/controller/placement/check-gang";
import { type FleetNode, planOf } from "@railyard/controller/placement/fleet";
import { type GangMember, placeGang } from "@railyard/controller/placement/gang";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyNodes, indexOf } from "./fleets.js";
import { bestScore, gangScore, mostThatFit } from "./gang-oracle.js";
import { anyGang, someNodes } from "./gangs.js";

const NODES_MAX = 6;
const RUNS = { numRuns: 600 };

function plansOf(members: readonly GangMember[], nodes: readonly FleetNode[]) {
  return members.map((member) => planOf(member, on(member, nodes)));
}

function on({ nodeId }: GangMember, nodes: readonly FleetNode[]): FleetNode {
  return nodes.find((node) => node.nodeId === nodeId)!;
}

function scoreOf(members: readonly GangMember[], nodes: readonly FleetNode[]) {
  const places = members.map((member) => {
    const node = on(member, nodes);
    return { node, bundle: node.pairs.filter((_, p) => (member.bundle & (1 << p)) !== 0) };
  });
  return gangScore(nodes, places);
}

test("a gang's plan is the best of all, and a refusal counts truly what would fit", () => {
  let placed = 0;
  let apart = 0;
  fc.assert(
    fc.property(someNodes(2), anyGang(), (nodes, wanted) => {
      const found = placeGang(indexOf(nodes), wanted);
      const best = bestScore(nodes, wanted);
      expect(found.fits && scoreOf(found.members, nodes)).toEqual(best ?? false);
      if (found.fits) {
        placed += 1;
        apart += (best?.[0] ?? 0) > 1 ? 1 : 0;
        return;
      }
      const free = { ...wanted, maxLeafGroups: undefined, segmentSize: undefined };
      expect(found.fitCount).toBe(mostThatFit(nodes, wanted));
      expect(found.anywhere).toBe(mostThatFit(nodes, free));
    }),
    RUNS,
  );
  expect(placed).toBeGreaterThan(RUNS.numRuns / 5);
  expect(apart).toBeGreaterThan(RUNS.numRuns / 100);
});

test("no plan of a gang fails the judge, and members come segment by segment", () => {
  fc.assert(
    fc.property(someNodes(2), anyGang(), (nodes, wanted) => {
      const found = placeGang(indexOf(nodes), wanted);
      if (!found.fits) return;
      const nodeOf = (id: string) => nodes.find(({ nodeId }) => nodeId === id);
      expect(checkGang(nodeOf, wanted, plansOf(found.members, nodes))).toEqual([]);
      for (const member of found.members) {
        expect(on(member, nodes)).toMatchObject(member.leafGroup);
      }
    }),
    RUNS,
  );
});

test("the order in which nodes came in, and went, decides nothing for a gang", () => {
  fc.assert(
    fc.property(someNodes(2), anyGang(), anyNodes(NODES_MAX), (nodes, wanted, before) => {
      const there = placeGang(indexOf(nodes), wanted);
      expect(placeGang(indexOf([...nodes].reverse()), wanted)).toEqual(there);
      const changed = indexOf(before);
      placeGang(changed, wanted);
      for (const { nodeId } of before) changed.delete(nodeId);
      for (const node of nodes) changed.put(node);
      expect(placeGang(changed, wanted)).toEqual(there);
      expect(placeGang(changed, wanted)).toEqual(there);
    }),
    RUNS,
  );
});
