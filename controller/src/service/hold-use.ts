// Using a hold up: whether a batch is one that the hold was made for, and which of the held rooms
// its members take. What the batch leaves over goes back with the hold.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { HoldId } from "@railyard/lib/ids";
import type { Faults } from "../domain/faults.js";
import { type Hold, type HoldEnd, isOver, membersOf } from "../domain/hold.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { check } from "../placement/check.js";
import { groupKey } from "../placement/facts.js";
import type { PlacementRequest, Plan } from "../placement/fleet.js";
import type { GangRequest } from "../placement/gang.js";
import type { ServiceContext } from "./context.js";
import { fleetViewOf } from "./fleet-view.js";
import type { Seat, Seats } from "./gang.js";
import type { InstancePlan } from "./instance-create.js";
import type { Closeness } from "./room-shape.js";
import type { FleetReads, TenantReads } from "./tenant.js";

const TYPE = RESOURCE_TYPE.hold;

/**
 * The hold to use up; a fault when there is none. Throws `precondition` HOLD_EXPIRED or
 * HOLD_CONSUMED when there was one not long ago.
 */
export async function holdToUse(
  { mine }: TenantReads,
  faults: Faults,
  { id, at }: { readonly id: HoldId; readonly at: number },
): Promise<Hold | undefined> {
  const hold = await mine.holds.get(id);
  if (hold && !isOver(hold, at)) return hold;
  const end = hold ? "expired" : await mine.holds.endOf(id);
  if (end) throw refuseEnded(id, end);
  faults.missing("hold_id", TYPE, id);
  return undefined;
}

function refuseEnded(id: HoldId, how: HoldEnd): RailyardError {
  const text = how === "expired" ? `the time of ${TYPE} ${id} is over` : `${TYPE} ${id} is used up`;
  const reason = how === "expired" ? "HOLD_EXPIRED" : "HOLD_CONSUMED";
  return refuse("precondition", text, { reason, resource: { type: TYPE, id } });
}

interface Batch extends Closeness {
  readonly count: number;
  readonly plan: InstancePlan;
}

/** Throws `precondition` HOLD_MISMATCH naming all that the hold was not made for. */
export function refuseMismatch(hold: Hold, { plan, ...batch }: Batch): void {
  const most = membersOf(hold);
  const attachments = plan.attachments.length;
  const network = plan.home?.network.id;
  const differ = (field: string, mine: string | number, held: string | number) =>
    mine === held ? [] : [{ field, description: `is ${mine}; the hold is for ${held}` }];
  const fields = [
    ...(batch.count <= most ? [] : differ("count", batch.count, `${most} at most`)),
    ...differ("template.profile", plan.profile.name, hold.profile),
    ...differ("template.cluster_network_attachments", attachments, hold.attachmentCount),
    ...(network
      ? differ("template.cluster_network_attachments", network, hold.clusterNetworkId)
      : []),
    ...(batch.maxLeafGroups
      ? differ("max_leaf_groups", batch.maxLeafGroups, hold.maxLeafGroups)
      : []),
    ...(batch.segmentSize ? differ("segment_size", batch.segmentSize, hold.segmentSize) : []),
  ];
  if (fields.length === 0) return;
  const text = fields.map(({ field, description }) => `${field} ${description}`).join("; ");
  throw refuse("precondition", `${TYPE} ${hold.id} does not match: ${text}`, {
    reason: "HOLD_MISMATCH",
    fields,
    resource: { type: TYPE, id: hold.id },
  });
}

/** Held rooms for all members, as long as enough of them are still good; else undefined. */
export async function heldSeats(
  tx: FleetReads,
  ctx: ServiceContext,
  wanted: {
    readonly rooms: readonly Plan[];
    readonly gang: GangRequest;
    readonly request: PlacementRequest;
  },
): Promise<Seats | undefined> {
  const good: Seat[] = [];
  const { request } = wanted;
  for (const plan of wanted.rooms) {
    const node = await fleetViewOf(ctx).node(tx, plan.nodeId);
    if (!node || check(node, request, plan).length > 0) continue;
    const beside = good.filter((seat) => seat.plan.nodeId === plan.nodeId).length;
    if (beside >= (request.crowded?.get(plan.nodeId) ?? beside + 1)) continue;
    const { physicalClusterId, leafGroup } = node;
    good.push({ plan, leafGroup: { physicalClusterId, leafGroup } });
  }
  return inSegments(good, wanted.gang);
}

/** So many of the seats, segment by segment, each within one leaf group. */
export function inSegments(
  seats: Seats,
  { count, segmentSize }: Pick<GangRequest, "count" | "segmentSize">,
): Seats | undefined {
  const size = Math.min(segmentSize ?? 1, count);
  const rest = count % size;
  const groups = new Map<string, Seat[]>();
  for (const seat of seats) {
    const key = groupKey(seat.leafGroup);
    groups.set(key, [...(groups.get(key) ?? []), seat]);
  }
  const largestFirst = [...groups.values()].sort((a, b) => b.length - a.length);
  const whole: Seat[] = [];
  const left: Seats[] = [];
  for (const group of largestFirst) {
    const wanted = Math.min(count - rest - whole.length, group.length - (group.length % size));
    whole.push(...group.slice(0, wanted));
    left.push(group.slice(wanted));
  }
  const last = rest === 0 ? [] : left.find(({ length }) => length >= rest)?.slice(0, rest);
  return last && whole.length === count - rest ? [...whole, ...last] : undefined;
}
