// Which nodes have room in their desired states, found out for many at once: for a question that
// met more full ones than can be met one by one. Decides nothing about what else speaks for a node.
import type { NodeId } from "@railyard/lib/ids";
import type { PlacementRequest } from "../placement/fleet.js";
import type { FleetIndex } from "../placement/fleet-index.js";
import { fittingNodes } from "../placement/place.js";

/** Most nodes whose load is asked for, some 20 µs each: others wait for as long as this takes. */
export const SURVEYED_MAX = 512;
/**
 * Most bytes of instances that are looked at for what they take, on the nodes with the least load:
 * about 1 µs for each KiB. An instance costs as much as this many bytes beside its own.
 */
export const LOOKED_AT_MAX = 16 * 1024 * 1024;
export const INSTANCE_COST = 16 * 1024;

/** How much is placed on a node. */
export interface Load {
  readonly instances: number;
  readonly bytes: number;
}

export interface Survey {
  readonly fleet: FleetIndex;
  readonly request: PlacementRequest;
  /** How many like the request may come to one node. */
  readonly wanted: number;
  loadOf(node: NodeId): Promise<Load>;
  /** How many of those wanted the node's desired state has room for. */
  roomOn(node: NodeId): Promise<number>;
}

/**
 * Nodes that fit but have no room for all that is wanted, each with what it has room for. Those
 * with the least load are looked at; whatever is beyond the limits counts as full.
 */
export async function surveyRooms(survey: Survey): Promise<ReadonlyMap<NodeId, number>> {
  const { wanted, loadOf, roomOn } = survey;
  const fitting = fittingNodes(survey.fleet, survey.request);
  const rooms = new Map(fitting.slice(SURVEYED_MAX).map((nodeId) => [nodeId, 0]));
  const loads: (Load & { readonly nodeId: NodeId })[] = [];
  for (const nodeId of fitting.slice(0, SURVEYED_MAX)) {
    loads.push({ nodeId, ...(await loadOf(nodeId)) });
  }
  loads.sort((a, b) => a.bytes - b.bytes || (a.nodeId < b.nodeId ? -1 : 1));
  let onEmpty: number | undefined;
  let lookedAt = 0;
  for (const { nodeId, instances, bytes } of loads) {
    lookedAt += bytes + instances * INSTANCE_COST;
    // What is empty is alike.
    const known = lookedAt === 0 ? onEmpty : lookedAt > LOOKED_AT_MAX ? 0 : undefined;
    const room = known ?? (await roomOn(nodeId));
    if (lookedAt === 0) onEmpty = room;
    if (room < wanted) rooms.set(nodeId, room);
  }
  return rooms;
}
