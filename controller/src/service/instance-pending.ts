// Ends instances that are pending although no create is under way: versions that wrote a create
// without room in two transactions have left them where they crashed between the two.
import { bug } from "@railyard/lib/errors";
import type { Instance } from "../domain/instance.js";
import type { ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { withoutRoom } from "./instance-start.js";
import { chanceOf, type Given } from "./mutate.js";
import { tenantReads } from "./tenant.js";

/** A pending instance, as written and as it is to be. */
interface Unplaced {
  readonly pending: Instance;
  readonly failed: Instance;
}

/** Writes it as failed, unless its owner has changed it meanwhile. */
async function failPending(ctx: ServiceContext, { pending, failed }: Unplaced): Promise<void> {
  const { account } = pending;
  const cause = { by: "system:placement", method: "instance.unplaced", at: ctx.clock.now() };
  await ctx.store.write({ ...cause, account }, async (tx) => {
    const { instances } = tx.account(account);
    const now = await instances.get(pending.id);
    if (now?.etag === pending.etag) await instances.update(failed);
  });
}

/** How long such a create may have taken, milliseconds. */
const CREATE_MS_MAX = 60_000;
const SWEPT_MAX = 100;

/** Fails instances that were left pending; how many. */
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
