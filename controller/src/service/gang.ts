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
import { Crowds } from "./crowds.js";
import type { Newcomer } from "./desired.js";
import { fleetOf } from "./fleet.js";
import { fleetViewOf } from "./fleet-view.js";
import { claims, lostEachTime, PLACE_TRIES_MAX } from "./placing.js";
import type { FleetReads, FleetTx, MessageReads } from "./tenant.js";

/** A member's place, with the devices by name. */
export interface Seat {
  readonly plan: Plan;
  readonly leafGroup: LeafGroupKey;
}

export type Seats = readonly Seat[];
export type Seating = { readonly fits: true; readonly seats: Seats } | Unseated;

/** A refusal, and the question as it was asked last: without room on nodes found full. */
export interface Unseated extends GangRefusal {
  readonly gang: GangRequest;
}

/** A gang, and what each of its members brings. */
export interface Asking {
  readonly gang: GangRequest;
  readonly each: Newcomer;
  /** Seats to take before any others, when there are enough of them for this request. */
  preferred?(request: PlacementRequest): Promise<Seats | undefined>;
}

type SeatReads = FleetReads & MessageReads;

/** Seats for all members, in member order, or how many would fit. Writes nothing. */
export async function seatGang(
  tx: SeatReads,
  ctx: ServiceContext,
  { gang, each, preferred }: Asking,
): Promise<Seating> {
  const crowds = new Crowds(tx, ctx, { each });
  for (;;) {
    const asked = { ...gang, member: crowds.in(gang.member) };
    const seats = (await preferred?.(asked.member)) ?? (await seatsFor(tx, ctx, asked));
    if ("fits" in seats) return { ...seats, gang: asked };
    const fit = await crowds.roomFor(seats.map(({ plan }) => plan));
    if (fit === gang.count) return { fits: true, seats };
    const question = { fleet: await fleetOf(tx, ctx), request: gang.member, wanted: gang.count };
    if (!(await crowds.mayAskAgain(question))) {
      return { fits: false, fitCount: fit, anywhere: fit, gang: asked };
    }
  }
}

async function seatsFor(
  tx: FleetReads,
  ctx: ServiceContext,
  gang: GangRequest,
): Promise<Seats | GangRefusal> {
  const found = placeGang(await fleetOf(tx, ctx), gang);
  if (!found.fits) return found;
  const seats: Seat[] = [];
  for (const { leafGroup, ...choice } of found.members) {
    const node = await fleetViewOf(ctx).node(tx, choice.nodeId);
    seats.push({ plan: planOf(choice, node ?? { pairs: [] }), leafGroup });
  }
  return seats;
}

/** A gang whose members are to be seated for good. */
export interface GangWish extends Asking {
  /** Called once, before anything is claimed: there is room. */
  seated?(): Promise<void>;
  /** What the member with this number claims in its seat. */
  claimFor(member: number, plan: Plan, node: FleetNode): Promise<Claim>;
}

/**
 * Claims a seat for every member, or says how many would fit and leaves nothing claimed. Throws
 * `unavailable` LOST_RACE when PLACE_TRIES_MAX tries were lost.
 */
export async function claimGang(
  tx: FleetTx & MessageReads,
  ctx: ServiceContext,
  wish: GangWish,
): Promise<Seating> {
  const lost: NodeId[] = [];
  while (lost.length < PLACE_TRIES_MAX) {
    const seating = await seatAgain(tx, ctx, { wish, lost });
    if (!seating.fits) return seating;
    if (lost.length === 0) await wish.seated?.();
    const { seats } = seating;
    const at = await claimSeats(tx, ctx, { wish, seats });
    if (!at) return seating;
    fleetViewOf(ctx).lost(at);
    lost.push(at);
  }
  throw lostEachTime();
}

/**
 * Seats without the nodes lost to others. Before it is said that there is no room, what these have
 * left counts as well: they are read anew.
 */
async function seatAgain(
  tx: SeatReads,
  ctx: ServiceContext,
  { wish, lost }: { readonly wish: GangWish; readonly lost: readonly NodeId[] },
): Promise<Seating> {
  const { gang } = wish;
  const member = { ...gang.member, exclude: [...gang.member.exclude, ...lost] };
  const elsewhere = await seatGang(tx, ctx, { ...wish, gang: { ...gang, member } });
  return elsewhere.fits || lost.length === 0 ? elsewhere : seatGang(tx, ctx, wish);
}

interface Claiming {
  readonly wish: GangWish;
  readonly seats: Seats;
}

/** Undefined when every seat is claimed; else the node that was lost, and nothing is. */
async function claimSeats(
  tx: FleetTx,
  ctx: ServiceContext,
  { wish, seats }: Claiming,
): Promise<NodeId | undefined> {
  const nodes = await judged(tx, ctx, { wish, seats });
  const claimed: InstanceId[] = [];
  for (const [member, { plan }] of seats.entries()) {
    const node = nodes.get(plan.nodeId);
    if (!node) throw bug("a seat on no node");
    const claim = await wish.claimFor(member, plan, node);
    if (await claims(tx, claim)) {
      claimed.push(claim.instanceId);
      continue;
    }
    for (const id of claimed) await tx.claims.release(id);
    return plan.nodeId;
  }
  return undefined;
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
