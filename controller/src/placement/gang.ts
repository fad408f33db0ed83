// Where a gang goes: so many alike, all or none. Pure: the same nodes and request give the same
// plan or the same refusal, however the index came about.
import type { Choice, LeafGroupKey, PlacementRequest } from "./fleet.js";
import type { FleetIndex } from "./fleet-index.js";
import type { Profile, Rooms, Tolls } from "./gang-rooms.js";
import { type Division, mostOf, type Part, type Split, split } from "./gang-split.js";
import type { LeafGroup } from "./leaf-group.js";
import { lot } from "./preferences.js";

/** So many alike, placed together or not at all. */
export interface GangRequest {
  /** What each member asks for; its seed is the gang's, and where it was before counts nothing. */
  readonly member: PlacementRequest;
  /** Spares included; at least 1. */
  readonly count: number;
  /** Hard: at most so many leaf groups, at least 1; absent: any number. */
  readonly maxLeafGroups: number | undefined;
  /**
   * Hard: each run of so many members, at least 1, is inside one leaf group; the last run may be
   * shorter. Absent: none.
   */
  readonly segmentSize: number | undefined;
}

export interface GangMember extends Choice {
  readonly leafGroup: LeafGroupKey;
}

export interface GangChoice {
  readonly fits: true;
  /**
   * In member order, segment by segment: leaf groups with the most members first, but that of a
   * shorter last run last.
   */
  readonly members: readonly GangMember[];
}

export interface GangRefusal {
  readonly fits: false;
  /** The most members that would fit under all hard rules; less than `count`. */
  readonly fitCount: number;
  /** How many of `count` would fit with any number of leaf groups and no segments. */
  readonly anywhere: number;
}

/**
 * The best plan for all members, or none for any. All members with attachments are on one set of
 * rails: that asked for, or the one that gives the best plan. Of all plans within the hard rules
 * it is one with, the first difference counting:
 * 1. the fewest leaf groups;
 * 2. the least sum over the members of the size of the free block that each breaks up: that of the
 *    largest legal set around its bundle that was free before the gang came; without GPUs 1 on
 *    nodes with nothing taken, else 0;
 * 3. the fewest nodes;
 * 4. the fewest leaf groups in which nothing was taken;
 * 5. the fewest wholly free nodes, counted before, in the leaf groups used;
 * and all five exactly. What still ties is decided by the lowest rails, then by lot.
 */
export function placeGang(fleet: FleetIndex, request: GangRequest): GangChoice | GangRefusal {
  const division = divisionOf(request);
  let best: (Split & Alternative) | undefined;
  const rooms = fleet.roomsFor(request.member);
  const alternatives = alternativesOf(fleet, rooms, request);
  for (const alternative of alternatives) {
    const found = split(alternative.parts, division);
    if (found && (!best || isBetter(found, best))) best = { ...found, ...alternative };
  }
  if (best)
    return { fits: true, members: membersOf(fleet, rooms, { ...best, member: request.member }) };
  return refusalOf(alternatives, division);
}

/** One set of rails for all, and where there is room on it. */
interface Alternative {
  readonly rails: number;
  readonly parts: readonly RoomPart[];
}

/** The lowest rails first; leaf groups in the order of their lots from that of the seed. */
function alternativesOf(
  fleet: FleetIndex,
  rooms: Rooms,
  { member, count }: GangRequest,
): readonly Alternative[] {
  const groups = fleet.groups();
  const start = fleet.ring().firstFrom(lot(member.seed));
  const rate = ratingFor(count, fleet.size);
  const byRails = new Map<number, RoomPart[]>();
  for (let i = 0; i < groups.length; i++) {
    const group = groups[(start + i) % groups.length] as LeafGroup;
    for (const profile of rooms.in(group)) {
      const part = new RoomPart(group, profile, rate);
      const parts = byRails.get(profile.rails);
      if (parts) parts.push(part);
      else byRails.set(profile.rails, [part]);
    }
  }
  const alternatives = [...byRails].map(([rails, parts]) => ({ rails, parts }));
  return alternatives.sort((a, b) => a.rails - b.rails);
}

function divisionOf({ count, maxLeafGroups, segmentSize }: GangRequest): Division {
  return {
    count,
    segmentSize: Math.min(segmentSize ?? 1, count),
    maxParts: maxLeafGroups ?? Number.POSITIVE_INFINITY,
  };
}

function isBetter(a: Split, b: Split): boolean {
  const groups = a.shares.length - b.shares.length;
  return groups < 0 || (groups === 0 && a.cost < b.cost);
}

/** The preferences below the fewest leaf groups, as one number that adds up over leaf groups. */
interface Rating {
  readonly count: number;
  readonly block: number;
  readonly node: number;
  readonly unstarted: number;
}

function ratingFor(count: number, fleetSize: number): Rating {
  const unstarted = fleetSize + 1;
  const node = unstarted * (count + 1);
  return { count, unstarted, node, block: node * (count + 1) };
}

/** More than any leaf group's fixed cost: see `kind`. */
const FIXED_MAX = 2 ** 22;

class RoomPart implements Part {
  readonly capacity: number;
  readonly kind: number;
  private readonly fixed: number;
  private tolls: Tolls | undefined;

  constructor(
    readonly group: LeafGroup,
    private readonly profile: Profile,
    private readonly rate: Rating,
  ) {
    this.fixed = group.wholeFree + (group.started === 0 ? rate.unstarted : 0);
    this.capacity = Math.min(profile.capacity, rate.count);
    this.kind = profile.number * FIXED_MAX + this.fixed;
  }

  cost(members: number): number {
    this.tolls ??= this.profile.tolls(this.rate.count);
    const { blocks, nodes } = this.tolls;
    const { block, node } = this.rate;
    const broken = (blocks[members] as number) * block;
    return this.fixed + (nodes[members] as number) * node + broken;
  }
}

function membersOf(
  fleet: FleetIndex,
  rooms: Rooms,
  { shares, parts, rails, member }: Split & Alternative & Pick<GangRequest, "member">,
): readonly GangMember[] {
  const { cursor } = fleet;
  const start = lot(member.seed);
  return shares.flatMap(({ part, members }) => {
    const group = parts[part]?.group;
    if (!group) return [];
    const slots = rooms.slots(group, cursor, { rails, members, start, except: member });
    return slots.map(({ row, bundle }): GangMember => {
      cursor.row = row;
      const { nodeId, physicalClusterId } = cursor;
      const leafGroup = { physicalClusterId, leafGroup: group.leafGroup };
      return { fits: true, nodeId, bundle, near: undefined, leafGroup };
    });
  });
}

function refusalOf(alternatives: readonly Alternative[], division: Division): GangRefusal {
  const { count } = division;
  let fitCount = 0;
  let anywhere = 0;
  for (const { parts } of alternatives) {
    fitCount = Math.max(fitCount, mostOf(parts, division));
    const all = parts.reduce((sum, { capacity }) => sum + capacity, 0);
    anywhere = Math.max(anywhere, Math.min(all, count));
  }
  return { fits: false, fitCount, anywhere };
}
