// Where an instance goes: hard rules first, preferences second, then by lot. Pure: the same nodes
// and request give the same choice or the same refusal, however the index came about.
import type { Choice, LeafGroupKey, Nearness, PlacementRequest, Refusal, Rule } from "./fleet.js";
import type { FleetIndex } from "./fleet-index.js";
import type { LeafGroup } from "./leaf-group.js";
import { fitting, lot } from "./preferences.js";
import { firstFailed } from "./rules.js";

/** The best place, or how many nodes each rule removed. */
export function place(fleet: FleetIndex, request: PlacementRequest): Choice | Refusal {
  return choose(fleet, request) ?? refusal(fleet, request);
}

/** The best place, or undefined; its cost does not grow with the fleet. */
export function choose(fleet: FleetIndex, asked: PlacementRequest): Choice | undefined {
  const request = asked.crowded ? withoutFull(asked, asked.crowded) : asked;
  const { previousNodeId, previousLeafGroup } = request;
  const host = onHost(fleet, request);
  if (host) return host;
  const start = lot(request.seed);
  const ranking = fleet.rankingFor(request);
  const wasIn = previousLeafGroup && groupIn(fleet, request.zone, previousLeafGroup);
  const beside = wasIn && ranking.bestIn(wasIn, start, request.exclude);
  if (beside !== undefined) {
    return choice(fleet, { row: beside, pairs: ranking.pairsOn(beside) }, "previous-leaf-group");
  }
  const group = ranking.best(fleet.ring().firstFrom(start));
  const row = group && ranking.bestIn(group, start, request.exclude);
  if (row === undefined) return undefined;
  return choice(fleet, { row, pairs: ranking.pairsOn(row) }, previousNodeId && "elsewhere");
}

/** How many nodes each rule removes; it looks at every node. */
export function refusal(fleet: FleetIndex, request: PlacementRequest): Refusal {
  const removed: Partial<Record<Rule, number>> = {};
  for (const node of fleet.nodes()) {
    const rule = firstFailed(node, request);
    if (rule) removed[rule] = (removed[rule] ?? 0) + 1;
  }
  return { fits: false, considered: fleet.size, removed };
}

/** Rankings know nodes by what they have free, so a full one is left out by its name. */
function withoutFull(
  request: PlacementRequest,
  crowded: NonNullable<PlacementRequest["crowded"]>,
): PlacementRequest {
  const full = [...crowded].filter(([, room]) => room === 0).map(([id]) => id);
  return { ...request, crowded: undefined, exclude: [...request.exclude, ...full] };
}

function onHost(fleet: FleetIndex, request: PlacementRequest): Choice | undefined {
  const row = request.previousNodeId && fleet.rowOf(request.previousNodeId);
  if (row === undefined) return undefined;
  fleet.cursor.row = row as number;
  const fits = fitting(fleet.cursor, request);
  return fits && choice(fleet, { pairs: fits.pairs, row: row as number }, "previous-host");
}

function groupIn(fleet: FleetIndex, zone: string, of: LeafGroupKey): LeafGroup | undefined {
  const { physicalClusterId, leafGroup } = of;
  return fleet.group({ zone, physicalClusterId, leafGroup });
}

/** A node's row, and the pairs to take there. */
interface Found {
  readonly row: number;
  readonly pairs: number;
}

function choice(fleet: FleetIndex, { row, pairs }: Found, near: Nearness | undefined): Choice {
  return { fits: true, nodeId: fleet.cursor.nameOf(row), bundle: pairs, near };
}
