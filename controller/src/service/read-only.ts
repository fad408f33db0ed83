// The switch that stops callers' changes once the database is known to have lost commits: kept in
// the database, so that it outlives restarts and holds for every replica, until an operator has
// accepted the loss.
import { refuse } from "@railyard/lib/errors";
import type { ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";

const KEY = "read-only";
/** Stands in the reason's place while an operator's acceptance holds. */
const ACCEPTED = "accepted";
/** How long callers wait before they ask whether an operator has looked, milliseconds. */
const LOOKED_MS = 60_000;

/** Throws `unavailable` STORE_READ_ONLY while callers may change nothing. */
export async function refuseReadOnly(tx: Pick<ReadTx, "meta">): Promise<void> {
  const reason = await reasonOf(tx);
  if (reason === undefined) return;
  throw refuse("unavailable", "nothing can be changed until an operator has looked", {
    reason: "STORE_READ_ONLY",
    retryAfterMs: LOOKED_MS,
    detail: { why: reason },
  });
}

/** From now on callers change nothing, unless an operator has accepted the loss. */
export async function goReadOnly(ctx: ServiceContext, reason: string): Promise<void> {
  const cause = { by: "system:agent", method: "store.read-only", at: ctx.clock.now() };
  const isNew = await ctx.store.write(cause, async (tx) => {
    if (await tx.meta.get(KEY)) return false;
    await tx.meta.set(KEY, reason);
    return true;
  });
  if (isNew) ctx.log.fatal({ why: reason }, "read-only: the database lost commits");
}

/**
 * At the start of a controller: an operator's acceptance ends the read-only state and holds until
 * the next start without it.
 */
export async function settleReadOnly(ctx: ServiceContext, isAccepted: boolean): Promise<void> {
  const cause = { by: "system:start", method: "store.read-only", at: ctx.clock.now() };
  const reason = await ctx.store.write(cause, async (tx) => {
    const now = await tx.meta.get(KEY);
    if (isAccepted) await tx.meta.set(KEY, ACCEPTED);
    else if (now === ACCEPTED) await tx.meta.set(KEY, "");
    return reasonOf(tx);
  });
  if (reason !== undefined) ctx.log.fatal({ why: reason }, "read-only: the database lost commits");
}

async function reasonOf({ meta }: Pick<ReadTx, "meta">): Promise<string | undefined> {
  const value = await meta.get(KEY);
  return value && value !== ACCEPTED ? value : undefined;
}
