// Use cases of holds: reserve room, read, give back, and what happens when the time is over.
import { bug } from "@railyard/lib/errors";
import { type HoldId, newId } from "@railyard/lib/ids";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { Faults } from "../domain/faults.js";
import { type Hold, memberIds } from "../domain/hold.js";
import { takesWholeNode } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Page } from "../store/contract.js";
import { seatSpans } from "./capacity.js";
import { checkEtag, lastState, newborn } from "./change.js";
import type { Mutation, ServiceContext, TenantCall } from "./context.js";
import { accountOf, findHold, findNetwork } from "./find.js";
import { claimGang, type Seats } from "./gang.js";
import { dropHold, endOver, HOLDS_ENDED_MAX, roomClaim } from "./hold-rooms.js";
import type { Listing } from "./listing.js";
import { remapEmptyNetwork } from "./mapping.js";
import type { MutationGiven } from "./mutate.js";
import { chooseName, hasAny } from "./naming.js";
import { eachOf, gangOf, type ResolvedShape, type RoomShape, resolveShape } from "./room-shape.js";
import { refuseCapacity, shortageOf } from "./shortage.js";
import { mutateMine, readMine, type TenantReads, type TenantTx, tenantTx } from "./tenant.js";

const TYPE = RESOURCE_TYPE.hold;

export interface HoldView {
  readonly hold: Hold;
  readonly network: ClusterNetwork;
}

export interface CreateHold {
  /** Empty: four random words. */
  readonly name: string;
  readonly shape: RoomShape;
  /** Milliseconds. */
  readonly ttlMs: number;
}

/**
 * Reserves room for all members, or none. Errors: every bad field at once; quota; `exhausted`
 * CAPACITY; `unavailable` LOST_RACE.
 */
export function createHold<A>(
  ctx: ServiceContext,
  call: Mutation<HoldView, A>,
  input: CreateHold,
): Promise<A> {
  const account = accountOf(call.principal);
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    await endOver(tx, given.at);
    const faults = new Faults();
    const taken = (name: string) => hasAny(mine.holds, { name });
    const { rng } = given;
    const name = await chooseName(faults, { field: "name", name: input.name, rng, taken });
    const asked = await resolveShape(tx, faults, input.shape);
    faults.throwIfAny();
    if (!asked) throw bug("a fault was not recorded");
    await mine.quotas.take("holds", 1);
    const { profile: wanted } = asked;
    const network = await remapEmptyNetwork(tx, ctx, { network: asked.network, wanted, given });
    const about = { account, id: newId("hold", given), name, expiresAt: given.at + input.ttlMs };
    const hold = await reserve(tx, ctx, { given, shape: { ...asked, network }, about });
    await mine.holds.insert(hold);
    given.tell({ holdId: hold.id, networkId: network.id }, "room held");
    return { hold, network };
  });
}

interface Reservation {
  readonly given: MutationGiven;
  readonly shape: ResolvedShape;
  readonly about: Pick<Hold, "account" | "id" | "name" | "expiresAt">;
}

/** Claims room for every member; the hold is left to be written. */
async function reserve(
  tx: TenantTx,
  ctx: ServiceContext,
  { given, shape, about }: Reservation,
): Promise<Hold> {
  const { network, profile, attachmentCount, count, spares } = shape;
  const ids = memberIds({ id: about.id, count, spares });
  const idOf = (member: number) => {
    const id = ids[member];
    if (!id) throw bug("a seat for nobody");
    return id;
  };
  const gang = await gangOf(tx, shape, { id: idOf(0), seed: about.id });
  const seating = await claimGang(tx, ctx, {
    gang,
    each: eachOf(shape),
    claimFor: async (member, plan) => roomClaim(idOf(member), plan, profile),
  });
  if (!seating.fits) {
    const refused = { profile, network, refusal: seating };
    throw refuseCapacity(await shortageOf(tx, ctx, refused), refused);
  }
  const { maxLeafGroups, segmentSize } = shape;
  return {
    ...newborn(given, about.account),
    ...about,
    clusterNetworkId: network.id,
    profile: profile.name,
    ...{ count, attachmentCount, maxLeafGroups, segmentSize, spares },
    leafGroupSpans: seatSpans(seating.seats),
    rails: await partialRails(tx, shape, seating.seats),
  };
}

/** The rails that the hold keeps for its network and profile, as instances of it would. */
async function partialRails(
  tx: TenantReads,
  { network, profile, attachmentCount }: ResolvedShape,
  [first]: Seats,
): Promise<readonly number[] | undefined> {
  const offered = await tx.profiles.clusterNetwork(network.profile);
  if (!offered || attachmentCount === 0 || takesWholeNode(profile, offered)) return undefined;
  return first?.plan.pairs.map(({ rail }) => rail);
}

export function getHold(ctx: ServiceContext, call: TenantCall, id: HoldId): Promise<HoldView> {
  return readMine(ctx, call, async (tx) => {
    return holdView(tx, await findHold(tx.mine, id, ctx.clock.now()));
  });
}

/** Newest first. */
export function listHolds(
  ctx: ServiceContext,
  call: TenantCall,
  { after, limit }: Listing,
): Promise<Page<HoldView>> {
  return readMine(ctx, call, async (tx) => {
    const page = await tx.mine.holds.living(ctx.clock.now(), { limit, ...(after && { after }) });
    const rows: HoldView[] = [];
    for (const hold of page.rows) rows.push(await holdView(tx, hold));
    return { ...page, rows };
  });
}

/** Gives the room back before the time is over. */
export function deleteHold<A>(
  ctx: ServiceContext,
  call: Mutation<HoldView, A>,
  input: { readonly id: HoldId; readonly etag: string },
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const hold = await findHold(mine, input.id, given.at);
    checkEtag(hold, input.etag, TYPE);
    const view = await holdView(tx, hold);
    await dropHold(tx, hold);
    given.tell({ holdId: hold.id, networkId: hold.clusterNetworkId }, "hold given back");
    return { ...view, hold: lastState(hold) };
  });
}

/** The hold with what its references show. */
export async function holdView({ mine }: TenantReads, hold: Hold): Promise<HoldView> {
  return { hold, network: await findNetwork(mine, hold.clusterNetworkId) };
}

/** Ends holds whose time is over, of any account; answers how many. */
export async function expireHolds(ctx: ServiceContext): Promise<number> {
  const at = ctx.clock.now();
  const due = await ctx.store.read((tx) => tx.everyone.holds.over(at, HOLDS_ENDED_MAX));
  let ended = 0;
  for (const account of new Set(due.map((hold) => hold.account))) {
    const cause = { by: "system:holds", method: "hold.expire", at, account };
    const over = await ctx.store.write(cause, (tx) => endOver(tenantTx(tx, account), at));
    for (const { id } of over) ctx.log.info({ holdId: id }, "hold is over");
    ended += over.length;
  }
  return ended;
}
