// Actions that wait: a start behind stopping, a reboot behind starting. Carried out in the
// transaction that brings the status they wait for, oldest first.
import { bug } from "@railyard/lib/errors";
import { type Instance, takeQueued, toFailed, toRestarting } from "../domain/instance.js";
import { permittedCounts } from "../domain/profile.js";
import { touched } from "./change.js";
import type { ServiceContext } from "./context.js";
import { countText } from "./instance-attachments.js";
import { type Launched, launch } from "./instance-start.js";
import type { Given } from "./mutate.js";
import type { FleetTx, TenantTx } from "./tenant.js";

/**
 * Carries out what waits for the stored instance's present status; those that it does not allow are
 * dropped. Answers with the instance as it then is, and how near a start has placed it.
 */
export async function runQueued(
  tx: TenantTx,
  ctx: ServiceContext,
  { given, instance }: { readonly given: Given; readonly instance: Instance },
): Promise<Launched> {
  if (instance.queuedActions.length === 0) return { instance, near: undefined };
  const { action, rest } = takeQueued(instance);
  if (action === "start") return startQueued(tx, ctx, { given, instance: rest });
  const after = action === "reboot" ? await rebooted(tx, rest) : rest;
  const written = touched(after, given.rng);
  await tx.mine.instances.update(written);
  return { instance: written, near: undefined };
}

/** The running instance, boots once more; its node is told. The caller writes it. */
export async function rebooted(tx: FleetTx, instance: Instance): Promise<Instance> {
  if (!instance.placement) throw bug("a running instance without a host");
  await tx.outbox.raise(instance.placement.nodeId);
  return toRestarting(instance);
}

async function startQueued(
  tx: TenantTx,
  ctx: ServiceContext,
  { given, instance }: { readonly given: Given; readonly instance: Instance },
): Promise<Launched> {
  const { mine } = tx;
  const { clusterNetworkId } = instance;
  const network = clusterNetworkId && (await mine.clusterNetworks.get(clusterNetworkId));
  const attachments = await mine.attachments.ofInstance(instance.id);
  const profile = await tx.profiles.instance(instance.profile);
  if (!profile) throw bug("an instance without its profile");
  const count = attachments.length;
  if (count === 0 || permittedCounts(profile).includes(count)) {
    return launch(tx, ctx, { given, instance, profile, network, attachments });
  }
  // They were changed while the start waited.
  const permitted = [0, ...permittedCounts(profile)].join(",");
  const message = countText(count, profile);
  const reason = { code: "cannot_start_network", message, metadata: { permitted } } as const;
  const failed = touched(toFailed(instance, reason), given.rng);
  await mine.instances.update(failed);
  return { instance: failed, near: undefined };
}
