// The small changes with which something would fit that does not. None is said before it was tried:
// placed, with the change made, on a copy of the fleet. Pure.
import type { HoldId, NodeId } from "@railyard/lib/ids";
import { groupKey } from "./facts.js";
import type { FleetNode } from "./fleet.js";
import { FleetIndex } from "./fleet-index.js";
import type { GangMember } from "./gang.js";
import { type Ask, giveBack, memberOf, type Room, type Trial, tryAsk, withCount } from "./trial.js";

/** A hold, and what its members have. */
export interface HeldRooms {
  readonly holdId: HoldId;
  /** Wall time, milliseconds. */
  readonly endsAt: number;
  readonly rooms: readonly Room[];
}

export type Change =
  /** At most so many leaf groups, the fewest with which it fits. */
  | { readonly kind: "leaf-groups"; readonly maxLeafGroups: number }
  /** So many instead, the most that fit. */
  | { readonly kind: "fewer"; readonly count: number }
  /** Attachments also on rails of these nodes that are not well. */
  | { readonly kind: "sick-rails"; readonly nodes: readonly NodeId[] }
  /** When this hold has ended, and all that end before it. */
  | { readonly kind: "hold-ends"; readonly holdId: HoldId; readonly endsAt: number }
  /** So many more nodes of the kind of hardware, all in that leaf group. */
  | {
      readonly kind: "more-nodes";
      readonly count: number;
      readonly hardware: string;
      readonly leafGroup: string;
    };

/** Most nodes that are added. */
const MORE_NODES_MAX = 16;

/** What may be changed beside the question. */
export interface Changeable {
  readonly holds: readonly HeldRooms[];
  /** A node as it would be if it were added, empty and well; absent: none is added. */
  readonly another: FleetNode | undefined;
}

/** Each of these changes that, alone, makes it fit; those that ask the least come first. */
export function changesFor(fleet: FleetIndex, ask: Ask, on: Changeable): readonly Change[] {
  return tryChanges(fleet, ask, on).map(({ change }) => change);
}

/** A change, and where it would put all. */
export interface Tried {
  readonly change: Change;
  readonly members: readonly GangMember[];
}

/** The same changes, each with the placement that it was tried by. */
export function tryChanges(
  fleet: FleetIndex,
  ask: Ask,
  { holds, another }: Changeable,
): readonly Tried[] {
  const found = [
    moreLeafGroups(fleet, ask),
    fewer(fleet, ask),
    sickRails(fleet, ask),
    holdEnds(fleet, ask, holds),
    another && moreNodes(fleet, ask, another),
  ];
  return found.filter((change) => change !== undefined);
}

function moreLeafGroups(fleet: FleetIndex, ask: Ask): Tried | undefined {
  if (ask.kind === "one" || ask.gang.maxLeafGroups === undefined) return undefined;
  const { gang } = ask;
  const free = tryAsk(fleet, { kind: "gang", gang: { ...gang, maxLeafGroups: undefined } });
  if (!free.fits) return undefined;
  const maxLeafGroups = new Set(free.members.map(({ leafGroup }) => groupKey(leafGroup))).size;
  const found = tryAsk(fleet, { kind: "gang", gang: { ...gang, maxLeafGroups } });
  return tried({ kind: "leaf-groups", maxLeafGroups }, found);
}

/** Undefined when it was not enough. */
function tried(change: Change, found: Trial): Tried | undefined {
  return found.fits ? { change, members: found.members } : undefined;
}

function fewer(fleet: FleetIndex, ask: Ask): Tried | undefined {
  const refused = tryAsk(fleet, ask);
  if (refused.fits || refused.fitCount === 0) return undefined;
  const count = refused.fitCount;
  return tried({ kind: "fewer", count }, tryAsk(fleet, withCount(ask, count)));
}

function sickRails(fleet: FleetIndex, ask: Ask): Tried | undefined {
  if (memberOf(ask).attachmentCount === 0) return undefined;
  const well = new FleetIndex(fleet);
  const sick = new Map<NodeId, number>();
  for (const { nodeId, healthy, make } of fleet.nodes()) {
    if (healthy !== make.pairs) sick.set(nodeId, healthy);
  }
  if (sick.size === 0) return undefined;
  for (const id of sick.keys()) heal(well, id);
  const found = tryAsk(well, ask);
  if (!found.fits) return undefined;
  const used = found.members.filter(({ nodeId, bundle }) => {
    const healthy = sick.get(nodeId);
    return healthy !== undefined && (bundle & ~healthy) !== 0;
  });
  const nodes = [...new Set(used.map(({ nodeId }) => nodeId))];
  const healed = new FleetIndex(fleet);
  for (const id of nodes) heal(healed, id);
  return tried({ kind: "sick-rails", nodes }, tryAsk(healed, ask));
}

function heal(fleet: FleetIndex, id: NodeId): void {
  const row = fleet.rowOf(id);
  if (row === undefined) return;
  fleet.cursor.row = row;
  fleet.adjust(id, { healthy: fleet.cursor.make.pairs });
}

/** The more holds have ended the more fits, so the first that is enough is found by halving. */
function holdEnds(fleet: FleetIndex, ask: Ask, holds: readonly HeldRooms[]): Tried | undefined {
  const inTime = [...holds].sort((a, b) => a.endsAt - b.endsAt || (a.holdId < b.holdId ? -1 : 1));
  const after = (ended: number) => {
    const later = new FleetIndex(fleet);
    for (const { rooms } of inTime.slice(0, ended)) for (const room of rooms) giveBack(later, room);
    return tryAsk(later, ask);
  };
  if (inTime.length === 0 || !after(inTime.length).fits) return undefined;
  let tooFew = 0;
  let enough = inTime.length;
  while (enough - tooFew > 1) {
    const middle = (tooFew + enough) >> 1;
    if (after(middle).fits) enough = middle;
    else tooFew = middle;
  }
  const last = inTime[enough - 1];
  if (!last) return undefined;
  return tried({ kind: "hold-ends", holdId: last.holdId, endsAt: last.endsAt }, after(enough));
}

function moreNodes(fleet: FleetIndex, ask: Ask, another: FleetNode): Tried | undefined {
  const { hardware, leafGroup } = another;
  const larger = new FleetIndex(fleet);
  for (let count = 1; count <= MORE_NODES_MAX; count++) {
    larger.put({ ...another, nodeId: `${another.nodeId}+${count}` as NodeId });
    const found = tryAsk(larger, ask);
    if (found.fits) return tried({ kind: "more-nodes", count, hardware, leafGroup }, found);
  }
  return undefined;
}
