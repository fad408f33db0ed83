// Where an instance goes: hard rules first, preferences second, then by lot. Pure: the same nodes
// and request give the same choice or the same refusal, however the index came about.
import type { Choice, LeafGroupKey, Nearness, PlacementRequest, Refusal, Rule } from "./fleet.js";
import type { FleetIndex } from "./fleet-index.js";
import type { LeafGroup } from "./leaf-group.js";
import { fitting, lot } from "./preferences.js";
import type { Found } from "./ranking.js";
import { firstFailed } from "./rules.js";

/** The best place, or how many nodes each rule removed. */
export function place(fleet: FleetIndex, request: PlacementRequest): Choice | Refusal {
  return choose(fleet, request) ?? refusal(fleet, request);
}

/** The best place, or undefined; its cost does not grow with the fleet. */
export function choose(fleet: FleetIndex, request: PlacementRequest): Choice | undefined {
  const { previousNodeId, previousLeafGroup } = request;
  const host = onHost(fleet, request);
  if (host) return host;
  const start = lot(request.seed);
  const ranking = fleet.rankingFor(request);
  const wasIn = previousLeafGroup && groupIn(fleet, request.zone, previousLeafGroup);
  const beside = wasIn && ranking.bestIn(wasIn, start, request.exclude);
  if (beside) return choice(fleet, beside, "previous-leaf-group");
  const group = ranking.best(firstBehind(fleet.lots(), start));
  const found = group && ranking.bestIn(group, start, request.exclude);
  return found && choice(fleet, found, previousNodeId && "elsewhere");
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

/** Position of the first lot at or behind `start`; the first of all if none. */
export function firstBehind(lots: Uint32Array, start: number): number {
  let low = 0;
  let high = lots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lots[middle] as number) < start) low = middle + 1;
    else high = middle;
  }
  return low === lots.length ? 0 : low;
}

function choice(fleet: FleetIndex, { row, pairs }: Found, near: Nearness | undefined): Choice {
  return { fits: true, nodeId: fleet.cursor.nameOf(row), bundle: pairs, near };
}
