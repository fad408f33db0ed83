// One question to placement, whether about one instance or a gang, asked of any index: the live
// fleet or a copy that was changed. What is taken and given back is an index's, never a store's.
import type { NodeId } from "@railyard/lib/ids";
import type { PlacementRequest } from "./fleet.js";
import type { FleetIndex } from "./fleet-index.js";
import {
  type GangChoice,
  type GangMember,
  type GangRefusal,
  type GangRequest,
  placeGang,
} from "./gang.js";
import { choose } from "./place.js";

/** An instance goes back to where it was before; a gang's members are placed together. */
export type Ask =
  | { readonly kind: "one"; readonly request: PlacementRequest }
  | { readonly kind: "gang"; readonly gang: GangRequest };

export type Trial = GangChoice | GangRefusal;

/** Places it as it would be placed for good; changes nothing. */
export function tryAsk(fleet: FleetIndex, ask: Ask): Trial {
  if (ask.kind === "gang") return placeGang(fleet, ask.gang);
  const choice = choose(fleet, ask.request);
  const group = choice && groupOf(fleet, choice.nodeId);
  if (!choice || !group) return { fits: false, fitCount: 0, anywhere: 0 };
  return { fits: true, members: [{ ...choice, leafGroup: group }] };
}

/** What each instance of it asks for. */
export function memberOf(ask: Ask): PlacementRequest {
  return ask.kind === "gang" ? ask.gang.member : ask.request;
}

/** The same question with each instance's request changed. */
export function withMember(ask: Ask, member: PlacementRequest): Ask {
  if (ask.kind === "one") return { kind: "one", request: member };
  return { kind: "gang", gang: { ...ask.gang, member } };
}

export function countOf(ask: Ask): number {
  return ask.kind === "gang" ? ask.gang.count : 1;
}

/** The same question about so many. */
export function withCount(ask: Ask, count: number): Ask {
  return ask.kind === "gang" ? { kind: "gang", gang: { ...ask.gang, count } } : ask;
}

/** Some of one node: its pairs as bits, and amounts. */
export interface Room {
  readonly nodeId: NodeId;
  readonly pairs: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

/** What the member takes of its node. */
export function roomFor({ nodeId, bundle }: Pick<GangMember, "nodeId" | "bundle">, ask: Ask): Room {
  const { vcpu, memoryMib, diskGib } = memberOf(ask);
  return { nodeId, pairs: bundle, vcpu, memoryMib, diskGib };
}

/** The room is in use from now on; nothing happens for a node that is not there. */
export function take(fleet: FleetIndex, room: Room): void {
  change(fleet, room, -1);
}

/** The room is free again. */
export function giveBack(fleet: FleetIndex, room: Room): void {
  change(fleet, room, 1);
}

function change(fleet: FleetIndex, { nodeId, pairs, ...amounts }: Room, by: 1 | -1): void {
  const row = fleet.rowOf(nodeId);
  if (row === undefined) return;
  fleet.cursor.row = row;
  const { free, vcpu, memoryMib, diskGib } = fleet.cursor;
  fleet.adjust(nodeId, {
    free: (by > 0 ? free | pairs : free & ~pairs) >>> 0,
    vcpu: vcpu + by * amounts.vcpu,
    memoryMib: memoryMib + by * amounts.memoryMib,
    diskGib: diskGib + by * amounts.diskGib,
  });
}

function groupOf(fleet: FleetIndex, id: NodeId) {
  const row = fleet.rowOf(id);
  if (row === undefined) return undefined;
  fleet.cursor.row = row;
  const { physicalClusterId, leafGroup } = fleet.cursor.group;
  return { physicalClusterId, leafGroup };
}
