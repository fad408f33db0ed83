// The room that a hold has: claimed under its members' ids, found again, given back. Who may have
// the hold and when it is over is decided by its use cases.
import type { InstanceId } from "@railyard/lib/ids";
import { type Hold, type HoldEnd, memberIds } from "../domain/hold.js";
import type { InstanceProfile } from "../domain/profile.js";
import type { Plan } from "../placement/fleet.js";
import type { Claim } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { fleetViewOf } from "./fleet-view.js";
import type { FleetReads, FleetTx, TenantTx } from "./tenant.js";

/** Most holds that one transaction ends for their time being over. */
export const HOLDS_ENDED_MAX = 100;

/**
 * What a member claims: the GPUs, and the amounts. Its NICs need no claim of their own: no pair is
 * free while its GPU is taken.
 */
export function roomClaim(
  member: InstanceId,
  { nodeId, pairs }: Plan,
  profile: InstanceProfile,
): Claim {
  return {
    nodeId,
    instanceId: member,
    gpus: pairs.map(({ gpu }) => gpu),
    vfs: [],
    vcpu: profile.vcpu,
    memoryMib: profile.memoryGib * 1024,
    diskGib: profile.diskGib,
  };
}

/** Where the hold's members have room, on nodes that are still declared, with their rails now. */
export async function roomsOf(
  tx: FleetReads,
  ctx: ServiceContext,
  hold: Hold,
): Promise<readonly Plan[]> {
  const rooms: Plan[] = [];
  for (const member of memberIds(hold)) {
    const claim = await tx.claims.ofInstance(member);
    const node = claim && (await fleetViewOf(ctx).node(tx, claim.nodeId));
    if (!claim || !node) continue;
    const pairs = claim.gpus.flatMap((gpu) => node.pairs.filter((pair) => pair.gpu === gpu));
    const plan = pairs.map(({ rail, gpu, nic }) => ({ rail, gpu, nic }));
    rooms.push({ fits: true, nodeId: claim.nodeId, pairs: plan, near: undefined });
  }
  return rooms;
}

/** Gives back what the hold has of machines. */
export async function releaseRooms(tx: FleetTx, hold: Hold): Promise<void> {
  for (const member of memberIds(hold)) await tx.claims.release(member);
}

/** Deletes the hold before its time is over, and gives back all that it has. */
export async function dropHold(tx: TenantTx, hold: Hold): Promise<void> {
  await releaseRooms(tx, hold);
  await tx.mine.holds.delete(hold.id);
  await tx.mine.quotas.giveBack("holds", 1);
}

/** Ends the hold; its room must have been given back or taken over. */
export async function endHold(
  { mine }: TenantTx,
  hold: Hold,
  end: { readonly how: HoldEnd; readonly at: number },
): Promise<void> {
  await mine.holds.end(hold, end.how, end.at);
  await mine.quotas.giveBack("holds", 1);
}

/** Ends some of the account's holds whose time is over, the oldest first; answers with them. */
export async function endOver(tx: TenantTx, at: number): Promise<readonly Hold[]> {
  const over = await tx.mine.holds.over(at, HOLDS_ENDED_MAX);
  for (const hold of over) {
    await releaseRooms(tx, hold);
    await endHold(tx, hold, { how: "expired", at });
  }
  return over;
}

/** Ends all of them: no more than the account's quota let it have. */
export async function endAllOver(tx: TenantTx, at: number): Promise<void> {
  let ended = HOLDS_ENDED_MAX;
  while (ended === HOLDS_ENDED_MAX) ended = (await endOver(tx, at)).length;
}
