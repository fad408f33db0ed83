// The soft preferences among nodes that fit, each with a name, strongest first; what still ties is
// broken by a hash of (seed, node id), so that the same snapshot and request always give the same
// node.
import { sha256Hex } from "@railyard/lib/canonical";
import type { Fleet, FleetNode, PlacementRequest } from "./fleet.js";

/** Higher is better. */
type Score = (node: FleetNode, around: Around) => number;

interface Around {
  readonly request: PlacementRequest;
  /** Leaf groups, by cluster, in which some pair is taken already. */
  readonly started: ReadonlySet<string>;
}

const PREFERENCES: Readonly<Record<string, Score>> = {
  previousHost: (node, { request }) => Number(node.nodeId === request.previousNodeId),
  previousLeafGroup: (node, { request }) => Number(node.leafGroup === request.previousLeafGroup),
  /** What takes no GPUs goes where GPUs are taken or absent, so that whole nodes stay whole. */
  wholeNodesStayWhole: (node, { request }) =>
    Number(request.gpuCount > 0 || node.pairs.length === 0 || node.pairs.some((p) => !p.free)),
  startedLeafGroupsFirst: (node, { request, started }) =>
    Number(request.gpuCount > 0 && started.has(groupOf(node))),
};

/** The best of the candidates, which must not be empty to give one. */
export function best(
  fleet: Fleet,
  candidates: readonly FleetNode[],
  request: PlacementRequest,
): FleetNode | undefined {
  const taken = fleet.nodes.filter((node) => node.pairs.some(({ free }) => !free));
  const around = { request, started: new Set(taken.map(groupOf)) };
  const ranked = candidates.map((node) => ({
    node,
    scores: Object.values(PREFERENCES).map((score) => score(node, around)),
    tie: sha256Hex(`${request.seed}\0${node.nodeId}`),
  }));
  ranked.sort((a, b) => {
    const i = a.scores.findIndex((score, at) => score !== b.scores[at]);
    if (i >= 0) return (b.scores[i] ?? 0) - (a.scores[i] ?? 0);
    return a.tie < b.tie ? -1 : 1;
  });
  return ranked[0]?.node;
}

function groupOf(node: FleetNode): string {
  return `${node.physicalClusterId} ${node.leafGroup}`;
}
