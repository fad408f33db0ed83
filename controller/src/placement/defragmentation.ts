// Which instances to move so that whole nodes become free: a node is emptied when each instance on
// it was placed elsewhere, one after another, on a copy of the fleet. Only proposes. Pure.
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { isWhollyFree } from "./facts.js";
import type { PlacementRequest } from "./fleet.js";
import { FleetIndex } from "./fleet-index.js";
import type { LeafGroup } from "./leaf-group.js";
import { choose } from "./place.js";
import { giveBack, type Room, roomFor, take } from "./trial.js";

/** A node that is partly used, and all that it is used by. */
export interface Emptiable {
  readonly nodeId: NodeId;
  readonly residents: readonly Resident[];
}

/** An instance that can be stopped and started elsewhere. */
export interface Resident {
  readonly instanceId: InstanceId;
  /** As its next start would ask, from wherever. */
  readonly request: PlacementRequest;
  readonly room: Room;
}

export interface Move {
  readonly instanceId: InstanceId;
  readonly from: NodeId;
  readonly to: NodeId;
  /** What it would have there: bit p is the node's pair p, in rail order. */
  readonly bundle: number;
  readonly gpuCount: number;
  /** Wholly free nodes in the cluster once this and all before it are done. */
  readonly freeNodesAfter: number;
}

export interface Wanted {
  readonly cluster: PhysicalClusterId;
  /** Nodes of one cluster; those with the fewest residents are tried first. */
  readonly nodes: readonly Emptiable[];
  /** Whole nodes wanted in one leaf group; undefined: as many as can be, anywhere. */
  readonly together: number | undefined;
  readonly movesMax: number;
}

export interface Proposal {
  /** In the order in which they can be done. */
  readonly moves: readonly Move[];
  /** The fleet as it would be. */
  readonly after: FleetIndex;
}

/**
 * Moves that make more nodes wholly free, no more than allowed and none without gain: all of a
 * node's instances find room elsewhere, on nodes that were started before, or none of them moves.
 * With so many wanted together the moves are those of the leaf group that gets there with the
 * fewest of them; none when no leaf group does. Greedy: it may miss the best proposal.
 */
export function proposeMoves(fleet: FleetIndex, wanted: Wanted): Proposal {
  const { together } = wanted;
  if (together === undefined) return emptyAll(fleet, wanted, () => false);
  let best: Proposal = { moves: [], after: new FleetIndex(fleet) };
  // Nothing need move where there is enough already.
  if (mostTogether(fleet, wanted.cluster) >= together) return best;
  const groupFor = ({ nodeId }: Emptiable) => groupOf(fleet, nodeId)?.key;
  for (const key of new Set(wanted.nodes.map(groupFor))) {
    const nodes = wanted.nodes.filter((node) => groupFor(node) === key);
    const [first] = nodes;
    const free = (of: FleetIndex) => (first && groupOf(of, first.nodeId)?.wholeFree) ?? 0;
    const found = emptyAll(fleet, { ...wanted, nodes }, (now) => free(now) >= together);
    if (free(found.after) < together) continue;
    if (best.moves.length === 0 || found.moves.length < best.moves.length) best = found;
  }
  return best;
}

function emptyAll(
  fleet: FleetIndex,
  { cluster, nodes, movesMax }: Wanted,
  isEnough: (now: FleetIndex) => boolean,
): Proposal {
  const after = new FleetIndex(fleet);
  const moves: Move[] = [];
  // What an instance was moved to stays as it is: nothing moves twice.
  const settled = new Set<NodeId>();
  const fewestFirst = [...nodes].sort((a, b) => {
    return a.residents.length - b.residents.length || (a.nodeId < b.nodeId ? -1 : 1);
  });
  for (const node of fewestFirst) {
    if (isEnough(after)) break;
    const isPossible = node.residents.length > 0 && !settled.has(node.nodeId);
    if (!isPossible || moves.length + node.residents.length > movesMax) continue;
    const emptied = empty(after, node, cluster);
    for (const { to } of emptied) settled.add(to);
    moves.push(...emptied);
  }
  return { moves, after };
}

/** All residents moved, or none; nothing when the node is not wholly free then. */
function empty(
  fleet: FleetIndex,
  { nodeId: from, residents }: Emptiable,
  cluster: PhysicalClusterId,
): readonly Move[] {
  const moves: Move[] = [];
  const undo: (() => void)[] = [];
  for (const { instanceId, request, room } of residents) {
    giveBack(fleet, room);
    undo.push(() => take(fleet, room));
    const to = choose(fleet, { ...request, exclude: [...request.exclude, from] });
    if (!to || isWhole(fleet, to.nodeId)) break;
    const there = roomFor(to, { kind: "one", request });
    take(fleet, there);
    undo.push(() => giveBack(fleet, there));
    const freeNodesAfter = freeNodesIn(fleet, cluster);
    const { nodeId, bundle } = to;
    const { gpuCount } = request;
    moves.push({ instanceId, from, to: nodeId, bundle, gpuCount, freeNodesAfter });
  }
  if (moves.length === residents.length && isWhole(fleet, from)) return moves;
  for (const back of undo.reverse()) back();
  return [];
}

function isWhole(fleet: FleetIndex, id: NodeId): boolean {
  const row = fleet.rowOf(id);
  if (row === undefined) return false;
  fleet.cursor.row = row;
  return isWhollyFree(fleet.cursor);
}

function groupOf(fleet: FleetIndex, id: NodeId): LeafGroup | undefined {
  const row = fleet.rowOf(id);
  if (row === undefined) return undefined;
  fleet.cursor.row = row;
  return fleet.cursor.group;
}

/** Wholly free nodes in the leaf group of the cluster that has most of them. */
export function mostTogether(fleet: FleetIndex, cluster: PhysicalClusterId): number {
  const groups = fleet.groups().filter(({ physicalClusterId: id }) => id === cluster);
  return groups.reduce((most, { wholeFree }) => Math.max(most, wholeFree), 0);
}

/** Wholly free nodes of the cluster. */
export function freeNodesIn(fleet: FleetIndex, cluster: PhysicalClusterId): number {
  const groups = fleet.groups().filter(({ physicalClusterId: id }) => id === cluster);
  return groups.reduce((sum, { wholeFree }) => sum + wholeFree, 0);
}
