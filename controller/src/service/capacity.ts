// How much room there is: asked before creating. The answer is placement's own, nothing is written.
import { bug } from "@railyard/lib/errors";
import type { InstanceId } from "@railyard/lib/ids";
import { Faults } from "../domain/faults.js";
import { spansOf } from "../domain/hold.js";
import { groupKey } from "../placement/facts.js";
import type { ServiceContext, TenantCall } from "./context.js";
import { type Seats, seatGang } from "./gang.js";
import { whereTo } from "./mapping.js";
import { eachOf, gangOf, type RoomShape, resolveShape } from "./room-shape.js";
import { type Shortage, shortageOf } from "./shortage.js";
import { readMine } from "./tenant.js";

/** Members of a question have no ids. */
const NOBODY = "nobody" as InstanceId;

export type Capacity =
  | { readonly fits: true; readonly asked: number; readonly spans: readonly number[] }
  | ({ readonly fits: false } & Shortage);

/** Whether the shape fits now. Errors: every bad field at once. */
export function checkCapacity(
  ctx: ServiceContext,
  call: TenantCall,
  input: RoomShape,
): Promise<Capacity> {
  return readMine(ctx, call, async (tx) => {
    const faults = new Faults();
    const found = await resolveShape(tx, faults, input);
    faults.throwIfAny();
    if (!found) throw bug("a fault was not recorded");
    const at = ctx.clock.now();
    const network = await whereTo(tx, ctx, { network: found.network, wanted: found.profile, at });
    const shape = { ...found, network };
    const gang = await gangOf(tx, shape, { id: NOBODY, seed: network.id });
    const seating = await seatGang(tx, ctx, { gang, each: eachOf(shape) });
    if (seating.fits) return { fits: true, asked: gang.count, spans: seatSpans(seating.seats) };
    return { fits: false, ...(await shortageOf(tx, ctx, { ...shape, refusal: seating })) };
  });
}

/** How many members are close together, group by group, largest first. */
export function seatSpans(seats: Seats): readonly number[] {
  return spansOf(seats.map(({ leafGroup }) => groupKey(leafGroup)));
}
