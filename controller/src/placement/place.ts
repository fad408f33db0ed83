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

/**
 * The place with the most vCPUs free, or undefined; it looks at every node. For whoever found one
 * after the other of the best places full in a way that only a look at each can tell.
 */
export function chooseRoomiest(fleet: FleetIndex, request: PlacementRequest): Choice | undefined {
  let best: (Found & { readonly vcpu: number; readonly lot: number }) | undefined;
  for (const node of fleet.nodes()) {
    const { vcpu, lot } = fleet.cursor;
    if (best && (vcpu < best.vcpu || (vcpu === best.vcpu && lot > best.lot))) continue;
    const fits = fitting(node, request);
    if (fits) best = { row: fleet.cursor.row, pairs: fits.pairs, vcpu, lot };
  }
  return best && choice(fleet, best, nearnessOf(fleet, best.row, request));
}

function nearnessOf(
  fleet: FleetIndex,
  row: number,
  { zone, previousNodeId, previousLeafGroup }: PlacementRequest,
): Nearness | undefined {
  fleet.cursor.row = row;
  const { nodeId, group } = fleet.cursor;
  if (nodeId === previousNodeId) return "previous-host";
  if (previousLeafGroup && groupIn(fleet, zone, previousLeafGroup) === group) {
    return "previous-leaf-group";
  }
  return previousNodeId && "elsewhere";
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
