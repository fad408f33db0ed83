// Where an instance goes: hard rules first, preferences second, over a snapshot. Pure: the same
// snapshot and request give the same plan or the same refusal.
import type { Fleet, FleetNode, PlacementRequest, Plan, Refusal, Rule } from "./fleet.js";
import { best } from "./rank.js";
import { firstFailed } from "./rules.js";

/** A plan for the best node that fits, or how many nodes each rule removed. */
export function place(fleet: Fleet, request: PlacementRequest): Plan | Refusal {
  const removed: Partial<Record<Rule, number>> = {};
  const candidates: FleetNode[] = [];
  for (const node of fleet.nodes) {
    const rule = firstFailed(node, request);
    if (rule === undefined) candidates.push(node);
    else removed[rule] = (removed[rule] ?? 0) + 1;
  }
  const node = best(fleet, candidates, request);
  if (!node) return { fits: false, considered: fleet.nodes.length, removed };
  return { fits: true, nodeId: node.nodeId, pairs: bundleOf(node, request.gpuCount) };
}

function bundleOf(node: FleetNode, gpuCount: number): Plan["pairs"] {
  if (gpuCount === 0) return [];
  return node.pairs
    .filter(({ free }) => free)
    .map(({ rail, gpu, nic }) => ({ rail, gpu, nic }))
    .sort((a, b) => a.rail - b.rail);
}
