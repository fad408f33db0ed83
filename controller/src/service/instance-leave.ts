// How an instance leaves its host and what is given back when: everything that it holds stays held
// until its absence was observed, then stopping, failing or deleting is finished here.
import { bug } from "@railyard/lib/errors";
import { isLeaving, UNSEEN } from "../domain/attachment.js";
import { stayingAsUnwell } from "../domain/host-failure.js";
import {
  type Instance,
  type InstancePlacement,
  offHost,
  toDeleting,
  toStopped,
} from "../domain/instance.js";
import { AWAITING_ABSENCE } from "../domain/lifecycle.js";
import type { AccountRows } from "../store/contract.js";
import { detach } from "./attachment-write.js";
import { touched } from "./change.js";
import { raiseFabric } from "./fabric.js";
import type { Given } from "./mutate.js";
import type { FleetTx, TenantTx } from "./tenant.js";

export interface LeaveGiven extends Given {
  /** How long MACs of deleted interfaces rest, milliseconds. */
  readonly quarantineMs: number;
}

/**
 * Takes the instance out of its node's desired state, if it is in one, and answers with its
 * placement from then on; undefined when it has none. The caller writes the instance.
 */
export async function leaveHost(
  tx: FleetTx,
  instance: Instance,
): Promise<InstancePlacement | undefined> {
  const { placement } = instance;
  if (placement?.phase !== "present") return placement;
  const { nodeId } = placement;
  const sinceGeneration = await tx.outbox.raise(nodeId);
  const fabric = instance.clusterNetworkId && (await raiseFabric(tx, nodeId));
  const told = fabric ? { fabricGeneration: String(fabric) } : {};
  return { ...placement, phase: "leaving", sinceGeneration, ...told };
}

/**
 * The instance was seen gone from its node: gives its devices back, then ends what it was leaving
 * for. Call it only with a placement that is `leaving` and whose absence was observed. Answers with
 * the instance as it then is, for which actions may wait (`runQueued`); undefined: it is gone.
 */
export async function finishLeaving(
  tx: TenantTx,
  given: LeaveGiven,
  instance: Instance,
): Promise<Instance | undefined> {
  const { status } = instance;
  if (status === "deleting") {
    await finishDelete(tx, given, instance);
    return undefined;
  }
  if (status !== "stopping" && status !== "failed") {
    throw bug(`an instance cannot leave its host while ${status}`);
  }
  const free = await releaseHost(tx, given, instance);
  const after = status === "stopping" ? toStopped(free) : offHost(free);
  const written = touched(after, given.rng);
  await tx.mine.instances.update(written);
  return written;
}

/** Removes the instance and everything that goes with it; what it held is free again. */
async function finishDelete(tx: TenantTx, given: LeaveGiven, instance: Instance): Promise<void> {
  const { mine } = tx;
  await tx.claims.release(instance.id);
  const rest = { given, until: given.at + given.quarantineMs };
  for (const attachment of await mine.attachments.ofInstance(instance.id)) {
    await detach(mine, attachment, rest);
  }
  await tx.volumes.release(instance.id);
  await tx.railSets.remove(instance.id);
  await mine.instances.delete(instance.id);
  await mine.quotas.giveBack("instances", 1);
}

/** Marks the instance as being deleted; finishes at once when it holds no host. */
export async function beginDelete(
  tx: TenantTx,
  given: LeaveGiven,
  instance: Instance,
): Promise<Instance> {
  const leaving = toDeleting(instance, await leaveHost(tx, instance));
  const deleting = touched(stayingAsUnwell(instance, leaving), given.rng);
  if (!deleting.placement) {
    await finishDelete(tx, given, instance);
    return deleting;
  }
  const { mine } = tx;
  await mine.instances.update(deleting);
  await markLeaving(mine, given, instance);
  return deleting;
}

/**
 * Gives the devices back; what was seen of the attachments no longer holds, and those that were
 * removed meanwhile go. Answers with the instance, which the caller writes.
 */
export async function releaseHost(
  tx: TenantTx,
  given: LeaveGiven,
  instance: Instance,
): Promise<Instance> {
  const { mine } = tx;
  await tx.claims.release(instance.id);
  const all = await mine.attachments.ofInstance(instance.id);
  const rest = { given, until: given.at + given.quarantineMs };
  for (const attachment of all.filter(isLeaving)) await detach(mine, attachment, rest);
  const staying = all.filter((attachment) => !isLeaving(attachment));
  for (const [position, attachment] of staying.entries()) {
    await mine.attachments.update(touched({ ...attachment, ...UNSEEN, position }, given.rng));
  }
  if (staying.length > 0) return instance;
  await tx.railSets.remove(instance.id);
  return { ...instance, clusterNetworkId: undefined };
}

/** The attachments go with their instance, and are held as long. */
async function markLeaving(mine: AccountRows, given: Given, { id }: Instance): Promise<void> {
  const leaving = { lifecycleState: "deleting", lifecycleReasons: [AWAITING_ABSENCE] } as const;
  for (const attachment of await mine.attachments.ofInstance(id)) {
    if (isLeaving(attachment)) continue;
    await mine.attachments.update(touched({ ...attachment, ...leaving }, given.rng));
  }
}
