// Where an instance goes: hard rules first, preferences second, then by lot. Pure: the same nodes
// and request give the same choice or the same refusal, however the index came about.
import type { NodeId } from "@railyard/lib/ids";
import type { Choice, LeafGroupKey, Nearness, PlacementRequest, Refusal, Rule } from "./fleet.js";
import type { FleetIndex } from "./fleet-index.js";
import type { LeafGroup } from "./leaf-group.js";
import { distance, fitting, lot } from "./preferences.js";
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
  const beside = wasIn && ranking.bestIn(wasIn, start, request);
  if (beside !== undefined) {
    return choice(fleet, { row: beside, pairs: ranking.pairsOn(beside) }, "previous-leaf-group");
  }
  const group = ranking.best(fleet.ring().firstFrom(start));
  const row = group && ranking.bestIn(group, start, request);
  if (row === undefined) return undefined;
  return choice(fleet, { row, pairs: ranking.pairsOn(row) }, previousNodeId && "elsewhere");
}

/**
 * All nodes that fit, those with the most vCPUs free first, alike ones leaf group by leaf group
 * from the seed's lot on; it looks at every node. For whoever must look at the nodes themselves to
 * tell which of them are full: what fills a node takes vCPUs, too.
 */
export function fittingNodes(fleet: FleetIndex, request: PlacementRequest): readonly NodeId[] {
  const { cursor } = fleet;
  const groups = fleet.groups();
  const start = lot(request.seed);
  const first = fleet.ring().firstFrom(start);
  const far = (row: number) => distance(start, cursor.lotOf(row));
  const name = (row: number) => cursor.nameOf(row);
  const found: { readonly row: number; readonly vcpu: number }[] = [];
  for (let i = 0; i < groups.length; i++) {
    const { rows } = groups[(first + i) % groups.length] as LeafGroup;
    const fit = rows.flatMap((row) => {
      cursor.row = row;
      return fitting(cursor, request) ? { row, vcpu: cursor.vcpu } : [];
    });
    fit.sort((a, b) => far(a.row) - far(b.row) || (name(a.row) < name(b.row) ? -1 : 1));
    for (const one of fit) found.push(one);
  }
  return found.sort((a, b) => b.vcpu - a.vcpu).map(({ row }) => name(row));
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

/** A node's row, and the pairs to take there. */
interface Found {
  readonly row: number;
  readonly pairs: number;
}

function choice(fleet: FleetIndex, { row, pairs }: Found, near: Nearness | undefined): Choice {
  return { fits: true, nodeId: fleet.cursor.nameOf(row), bundle: pairs, near };
}
