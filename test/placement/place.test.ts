// Placement against the plain scan over small random fleets: the same answer, whatever way the
// index came about, and the judge never disagrees.
import { check } from "@railyard/controller/placement/check";
import {
  type FleetNode,
  type PlacementRequest,
  planOf,
} from "@railyard/controller/placement/fleet";
import type { FleetIndex } from "@railyard/controller/placement/fleet-index";
import { choose, refusal } from "@railyard/controller/placement/place";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyNode, anyNodes, anyRequest, indexOf } from "./fleets.js";
import { scan } from "./oracle.js";

const NODES_MAX = 6;
const RUNS = { numRuns: 1_000 };

function answer(index: FleetIndex, nodes: readonly FleetNode[], wanted: PlacementRequest) {
  const choice = choose(index, wanted);
  const node = nodes.find(({ nodeId }) => nodeId === choice?.nodeId);
  if (!choice || !node) return undefined;
  const plan = planOf(choice, node);
  expect(check(node, wanted, plan)).toEqual([]);
  return { nodeId: plan.nodeId, gpus: plan.pairs.map(({ gpu }) => gpu), near: plan.near };
}

test("the index finds what a scan of all nodes finds, bundle for bundle", () => {
  let placed = 0;
  fc.assert(
    fc.property(anyNodes(NODES_MAX), anyRequest(), (nodes, wanted) => {
      const found = answer(indexOf(nodes), nodes, wanted);
      const best = scan(nodes, wanted);
      expect(found && { nodeId: found.nodeId, gpus: found.gpus }).toEqual(
        best && { nodeId: best.nodeId, gpus: best.gpus },
      );
      if (found) placed += 1;
    }),
    RUNS,
  );
  expect(placed).toBeGreaterThan(RUNS.numRuns / 40);
});

test("refusals are true: every node counts once, and under no rule when it fits", () => {
  fc.assert(
    fc.property(anyNodes(NODES_MAX), anyRequest(), (nodes, wanted) => {
      const { removed, considered } = refusal(indexOf(nodes), wanted);
      const counted = Object.values(removed).reduce((a, b) => a + b, 0);
      const fitting = nodes.filter((node) => scan([node], wanted)).length;
      expect(considered).toBe(nodes.length);
      expect(counted).toBe(nodes.length - fitting);
    }),
    RUNS,
  );
});

test("the order in which nodes came in decides nothing", () => {
  fc.assert(
    fc.property(anyNodes(NODES_MAX), anyRequest(), (nodes, wanted) => {
      const there = choose(indexOf(nodes), wanted);
      expect(choose(indexOf([...nodes].reverse()), wanted)).toEqual(there);
    }),
    RUNS,
  );
});

const NAMES = ["n0", "n1", "n2", "n3", "n4", "n5"];
const anyChange = fc
  .constantFrom(...NAMES)
  .chain((name) =>
    fc.oneof(
      { weight: 4, arbitrary: anyNode(name) },
      { weight: 1, arbitrary: fc.constant(name) },
      { weight: 4, arbitrary: anyRequest() },
    ),
  );

test("an index kept up to date answers as one made afresh", () => {
  const changes = fc.array(anyChange, { maxLength: 40 });
  fc.assert(
    fc.property(changes, fc.array(anyRequest(), { maxLength: 4 }), (steps, wishes) => {
      const index = indexOf([]);
      const nodes = new Map<string, FleetNode>();
      const same = (wanted: PlacementRequest) =>
        expect(choose(index, wanted)).toEqual(choose(indexOf([...nodes.values()]), wanted));
      for (const step of steps) {
        if (typeof step === "string") {
          nodes.delete(step);
          index.delete(step as never);
        } else if ("nodeId" in step) {
          nodes.set(step.nodeId, step);
          index.put(step);
        } else same(step);
      }
      for (const wanted of wishes) same(wanted);
      expect(index.size).toBe(nodes.size);
    }),
    { numRuns: 500 },
  );
});
