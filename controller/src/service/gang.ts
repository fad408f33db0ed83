// Seats a gang inside the caller's transaction: asks placement for all members at once, has the
// judge look at every seat, claims all of them or none. Whose members they are is not known here.
import { bug } from "@railyard/lib/errors";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { checkGang } from "../placement/check-gang.js";
import {
  type FleetNode,
  type LeafGroupKey,
  type PlacementRequest,
  type Plan,
  planOf,
} from "../placement/fleet.js";
import { type GangRefusal, type GangRequest, placeGang } from "../placement/gang.js";
import type { Claim } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { fleetOf } from "./fleet.js";
import { fleetViewOf } from "./fleet-view.js";
import { claims, lostEachTime, PLACE_TRIES_MAX } from "./placing.js";
import type { FleetReads, FleetTx } from "./tenant.js";

/** A member's place, with the devices by name. */
export interface Seat {
  readonly plan: Plan;
  readonly leafGroup: LeafGroupKey;
}

export type Seats = readonly Seat[];
export type Seating = { readonly fits: true; readonly seats: Seats } | GangRefusal;

/** Seats for all members, in member order, or how many would fit. Writes nothing. */
export async function seatGang(
  tx: FleetReads,
  ctx: ServiceContext,
  gang: GangRequest,
): Promise<Seating> {
  const found = placeGang(await fleetOf(tx, ctx), gang);
  if (!found.fits) return found;
  const seats: Seat[] = [];
  for (const { leafGroup, ...choice } of found.members) {
    const node = await fleetViewOf(ctx).node(tx, choice.nodeId);
    seats.push({ plan: planOf(choice, node ?? { pairs: [] }), leafGroup });
  }
  return { fits: true, seats };
}

/** A node that took some members and cannot take the others after all. */
export interface Crowded {
  readonly nodeId: NodeId;
  /** How many of those seated there it can take. */
  readonly takes: number;
}

/** A gang whose members are to be seated for good. */
export interface GangWish {
  readonly gang: GangRequest;
  /** Seats to take before any others, when there are enough of them for this request. */
  preferred?(request: PlacementRequest): Promise<Seats | undefined>;
  /** Called once, before anything is claimed: there is room. */
  seated?(): Promise<void>;
  /** What the member with this number claims in its seat. */
  claimFor(member: number, plan: Plan, node: FleetNode): Promise<Claim>;
  /** Called when all is claimed; when it names a node another try is made. */
  settle?(seats: Seats): Promise<Crowded | undefined>;
}

/**
 * Claims a seat for every member, or says how many would fit and leaves nothing claimed. Throws
 * `unavailable` LOST_RACE when PLACE_TRIES_MAX tries were lost.
 */
export async function claimGang(
  tx: FleetTx,
  ctx: ServiceContext,
  wish: GangWish,
): Promise<Seating> {
  const exclude: NodeId[] = [];
  let kept: Seats = [];
  for (let lost = 0; lost < PLACE_TRIES_MAX; ) {
    const seating = await seatRest(tx, ctx, { wish, kept, exclude });
    if (!seating.fits) return seating;
    if (exclude.length === 0) await wish.seated?.();
    const { seats } = seating;
    const crowded = await claimSeats(tx, ctx, { wish, seats });
    if (!crowded) return seating;
    exclude.push(crowded.nodeId);
    const before = kept.length;
    kept = keepable(wish.gang, { kept, seats }, crowded);
    if (kept.length <= before) lost += 1;
  }
  throw lostEachTime();
}

interface Rest {
  readonly wish: GangWish;
  /** Seats of members that need no others. */
  readonly kept: Seats;
  /** Nodes that the others must not get. */
  readonly exclude: readonly NodeId[];
}

async function seatRest(
  tx: FleetReads,
  ctx: ServiceContext,
  { wish: { gang, ...wish }, kept, exclude }: Rest,
): Promise<Seating> {
  const member = { ...gang.member, exclude: [...gang.member.exclude, ...exclude] };
  const preferred = await wish.preferred?.(member);
  if (preferred) return { fits: true, seats: preferred };
  const count = gang.count - kept.length;
  // Seats are claimed only when all are found: those kept are as free as the others.
  const rest = await seatGang(tx, ctx, { ...gang, member, count });
  if (rest.fits) return { fits: true, seats: [...kept, ...rest.seats] };
  const { fitCount, anywhere } = rest;
  return { fits: false, fitCount: fitCount + kept.length, anywhere: anywhere + kept.length };
}

/** Where neither closeness nor rails tie members together, those that the node takes stay on it. */
function keepable(
  { member, maxLeafGroups, segmentSize }: GangRequest,
  { kept, seats }: { readonly kept: Seats; readonly seats: Seats },
  { nodeId, takes }: Crowded,
): Seats {
  const together = maxLeafGroups !== undefined || segmentSize !== undefined;
  if (together || member.attachmentCount > 0) return [];
  const there = seats.filter(({ plan }) => plan.nodeId === nodeId).slice(0, takes);
  return [...kept.filter(({ plan }) => plan.nodeId !== nodeId), ...there];
}

interface Claiming {
  readonly wish: GangWish;
  readonly seats: Seats;
}

/** Undefined when every seat is claimed; else where one was lost, and nothing is. */
async function claimSeats(
  tx: FleetTx,
  ctx: ServiceContext,
  { wish, seats }: Claiming,
): Promise<Crowded | undefined> {
  const nodes = await judged(tx, ctx, { wish, seats });
  const claimed: InstanceId[] = [];
  let lost: Crowded | undefined;
  for (const [member, { plan }] of seats.entries()) {
    const node = nodes.get(plan.nodeId);
    if (!node) throw bug("a seat on no node");
    const claim = await wish.claimFor(member, plan, node);
    if (await claims(tx, claim)) {
      claimed.push(claim.instanceId);
    } else {
      lost = { nodeId: plan.nodeId, takes: 0 };
      break;
    }
  }
  lost ??= await wish.settle?.(seats);
  if (lost) for (const id of claimed) await tx.claims.release(id);
  return lost;
}

/** The nodes of the seats as they are now; a plan that the judge finds fault with is a bug. */
async function judged(
  tx: FleetReads,
  ctx: ServiceContext,
  { wish: { gang }, seats }: Claiming,
): Promise<ReadonlyMap<NodeId, FleetNode>> {
  const nodes = new Map<NodeId, FleetNode>();
  for (const id of new Set(seats.map(({ plan }) => plan.nodeId))) {
    const node = await fleetViewOf(ctx).node(tx, id);
    if (node) nodes.set(id, node);
  }
  const plans = seats.map(({ plan }) => plan);
  const wrong = checkGang((id) => nodes.get(id), gang, plans);
  if (wrong.length > 0) throw bug("a gang's plan breaks the rules", { detail: { wrong, plans } });
  return nodes;
}
