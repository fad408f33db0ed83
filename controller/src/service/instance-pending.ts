// Ends what a create without room began: its own write shows the instance as pending, this one as
// failed. An instance that a crash left pending is ended the same way.
import { bug } from "@railyard/lib/errors";
import type { Instance } from "../domain/instance.js";
import type { ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { withoutRoom } from "./instance-start.js";
import { chanceOf, type Given } from "./mutate.js";
import { tenantReads } from "./tenant.js";

/** A created instance for which there was no room, as written and as it is to be. */
export interface Unplaced {
  readonly pending: Instance;
  readonly failed: Instance;
}

/** Writes it as failed, unless its owner has changed it meanwhile. */
export async function failPending(
  ctx: ServiceContext,
  { pending, failed }: Unplaced,
): Promise<void> {
  const { account } = pending;
  const cause = { by: "system:placement", method: "instance.unplaced", at: ctx.clock.now() };
  await ctx.store.write({ ...cause, account }, async (tx) => {
    const { instances } = tx.account(account);
    const now = await instances.get(pending.id);
    // A copy: what the create saw of the instance's surroundings may be out of date by now.
    if (now?.etag === pending.etag) await instances.update({ ...failed });
  });
}

/** How long a create may take from its first write to its second, milliseconds. */
const CREATE_MS_MAX = 60_000;
const SWEPT_MAX = 100;

/** Fails instances whose create never came to its second write; how many. */
export async function sweepPending(ctx: ServiceContext): Promise<number> {
  const at = ctx.clock.now();
  const left = await ctx.store.read(async (tx) => {
    const found: Unplaced[] = [];
    for (const pending of await tx.everyone.instances.pending(at - CREATE_MS_MAX, SWEPT_MAX)) {
      const given = { at, rng: chanceOf(pending) };
      found.push({ pending, failed: await unplaced(tx, ctx, { given, instance: pending }) });
    }
    return found;
  });
  for (const one of left) await failPending(ctx, one);
  return left.length;
}

async function unplaced(
  tx: ReadTx,
  ctx: ServiceContext,
  { given, instance }: { readonly given: Given; readonly instance: Instance },
): Promise<Instance> {
  const mine = tx.account(instance.account);
  const { clusterNetworkId } = instance;
  const network = clusterNetworkId && (await mine.clusterNetworks.get(clusterNetworkId));
  const profile = await tx.profiles.instance(instance.profile);
  if (!profile) throw bug("an instance without its profile");
  const attachments = await mine.attachments.ofInstance(instance.id);
  return withoutRoom(tenantReads(tx, instance.account), ctx, {
    given,
    instance,
    profile,
    network,
    attachments,
  });
}
