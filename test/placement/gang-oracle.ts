// The plain search for a gang: every way to put its members on the nodes, judged one by one. Says
// what placement should answer without its rooms, tables or masks; only for a handful of nodes.
import type { FleetNode } from "@railyard/controller/placement/fleet";
import type { GangRequest } from "@railyard/controller/placement/gang";
import { blockOf, bundlesFor, group, isBelow, isWhole, takes } from "./oracle.js";

type Bundle = FleetNode["pairs"];

export interface Place {
  readonly node: FleetNode;
  readonly bundle: Bundle;
}

/** The score of the best way, lower is better; undefined when there is none. */
export function bestScore(nodes: readonly FleetNode[], request: GangRequest) {
  let best: readonly number[] | undefined;
  for (const places of ways(nodes, request)) {
    const score = gangScore(nodes, places);
    if (!best || isBelow(score, best)) best = score;
  }
  return best;
}

/** The most members that fit by the rules of the request, whatever its count. */
export function mostThatFit(nodes: readonly FleetNode[], request: GangRequest): number {
  let most = request.count;
  while (most > 0 && !hasWay(nodes, { ...request, count: most })) most -= 1;
  return most;
}

/** By the preferences, in their order. */
export function gangScore(nodes: readonly FleetNode[], places: readonly Place[]) {
  const used = [...new Set(places.map(({ node }) => node.zone + group(node)))];
  const inside = used.map((key) => nodes.filter((node) => node.zone + group(node) === key));
  const isStarted = (node: FleetNode) => node.pairs.some(({ free }) => !free);
  return [
    used.length,
    places.reduce((sum, { node, bundle }) => sum + blockOf(node, bundle), 0),
    new Set(places.map(({ node }) => node.nodeId)).size,
    inside.filter((members) => !members.some(isStarted)).length,
    inside.flat().filter(isWhole).length,
  ];
}

function hasWay(nodes: readonly FleetNode[], request: GangRequest): boolean {
  for (const _ of ways(nodes, request)) return true;
  return false;
}

function* ways(nodes: readonly FleetNode[], request: GangRequest): Iterable<readonly Place[]> {
  const { member } = request;
  const places = nodes
    .filter((node) => takes(node, member))
    .flatMap((node) => bundlesFor(node, member).map((bundle): Place => ({ node, bundle })));
  const kinds = new Set(places.map(railsOf));
  for (const rails of member.attachmentCount > 0 ? kinds : [undefined]) {
    const alike = places.filter((place) => rails === undefined || railsOf(place) === rails);
    for (const chosen of choices(alike, request)) {
      if (isAllowed(chosen, request)) yield chosen;
    }
  }
}

function railsOf({ bundle }: Place): string {
  return bundle.map(({ rail }) => rail).join();
}

/** Every choice of as many places as members; those without GPUs may be taken again and again. */
function* choices(
  places: readonly Place[],
  { member, count }: GangRequest,
  chosen: readonly Place[] = [],
): Iterable<readonly Place[]> {
  if (chosen.length === count) yield chosen;
  if (chosen.length === count) return;
  for (const [i, place] of places.entries()) {
    const here = [...chosen, place].filter(({ node }) => node === place.node);
    const pairs = here.flatMap(({ bundle }) => bundle);
    const amounts = (["vcpu", "memoryMib", "diskGib"] as const).every(
      (amount) => here.length * member[amount] <= place.node.free[amount],
    );
    const room = member.crowded?.get(place.node.nodeId) ?? here.length;
    if (!amounts || here.length > room || new Set(pairs).size < pairs.length) continue;
    const later = places.slice(member.gpuCount === 0 ? i : i + 1);
    yield* choices(later, { member, count } as GangRequest, [...chosen, place]);
  }
}

function isAllowed(places: readonly Place[], request: GangRequest): boolean {
  const { count, maxLeafGroups, segmentSize } = request;
  const sizes = new Map<string, number>();
  for (const { node } of places) sizes.set(group(node), (sizes.get(group(node)) ?? 0) + 1);
  if (maxLeafGroups !== undefined && sizes.size > maxLeafGroups) return false;
  if (segmentSize === undefined) return true;
  const runs: number[] = [];
  for (let rest = count; rest > 0; rest -= segmentSize) runs.push(Math.min(rest, segmentSize));
  return canGive(runs, [...sizes.values()]);
}

/** Whether each run goes into one of the rooms, all of them exactly filled. */
function canGive([run, ...others]: readonly number[], rooms: readonly number[]): boolean {
  if (run === undefined) return rooms.every((room) => room === 0);
  return rooms.some(
    (room, i) => room >= run && canGive(others, rooms.with(i, room - run) as number[]),
  );
}
