// Where an instance goes: hard rules first, preferences second, then by lot. Pure: the same nodes
// and request give the same choice or the same refusal, however the index came about.
import type { Choice, Nearness, PlacementRequest, Refusal, Rule } from "./fleet.js";
import type { FleetIndex } from "./fleet-index.js";
import type { LeafGroup } from "./leaf-group.js";
import { type Fitting, fitting, lot } from "./preferences.js";
import { bestOf, type Within } from "./ranking.js";
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
  const within = { fits: ranking.fits, request, start };
  const wasIn = previousLeafGroup && fleet.group({ ...previousLeafGroup, zone: request.zone });
  const beside = wasIn && inGroup(fleet, wasIn, within);
  if (beside) return choice(fleet, beside, "previous-leaf-group");
  const best = ranking.best(firstBehind(fleet.lots(), start));
  const group = best === undefined ? undefined : fleet.groups()[best];
  const found = group && inGroup(fleet, group, within);
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

type Found = Fitting & { readonly row: number };

function onHost(fleet: FleetIndex, request: PlacementRequest): Choice | undefined {
  const row = request.previousNodeId && fleet.rowOf(request.previousNodeId);
  if (row === undefined) return undefined;
  fleet.cursor.row = row as number;
  const fits = fitting(fleet.cursor, request);
  return fits && choice(fleet, { ...fits, row: row as number }, "previous-host");
}

function inGroup(fleet: FleetIndex, group: LeafGroup, within: Within): Found | undefined {
  const { zone, physicalClusterId: cluster } = within.request;
  if (group.zone !== zone || (cluster && cluster !== group.physicalClusterId)) return undefined;
  return bestOf(group, fleet.cursor, within);
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
  fleet.cursor.row = row;
  return { fits: true, nodeId: fleet.cursor.nodeId, bundle: pairs, near };
}
