// How an instance leaves its host and what is given back when: everything that it holds stays held
// until its absence was observed, then stopping, failing or deleting is finished here.
import { bug } from "@railyard/lib/errors";
import { UNSEEN } from "../domain/attachment.js";
import {
  type Instance,
  type InstancePlacement,
  offHost,
  toDeleting,
  toStopped,
} from "../domain/instance.js";
import type { WriteTx } from "../store/contract.js";
import { touched } from "./change.js";
import { unbindInterface } from "./interface-life.js";
import type { Given } from "./mutate.js";

export interface LeaveGiven extends Given {
  /** How long MACs of deleted interfaces rest, milliseconds. */
  readonly quarantineMs: number;
}

/**
 * Takes the instance out of its node's desired state, if it is in one, and answers with its
 * placement from then on; undefined when it has none. The caller writes the instance.
 */
export async function leaveHost(
  tx: WriteTx,
  instance: Instance,
): Promise<InstancePlacement | undefined> {
  const { placement } = instance;
  if (placement?.phase !== "present") return placement;
  const sinceGeneration = await tx.outbox.raise(placement.nodeId);
  return { ...placement, phase: "leaving", sinceGeneration };
}

/**
 * The instance was seen gone from its node: gives its devices back, then ends what it was leaving
 * for. Call it only with a placement that is `leaving` and whose absence was observed.
 */
export async function finishLeaving(
  tx: WriteTx,
  given: LeaveGiven,
  instance: Instance,
): Promise<void> {
  if (instance.status === "deleting") await finishDelete(tx, given, instance);
  else if (instance.status === "stopping") await finishStop(tx, given, instance);
  else if (instance.status === "failed") await finishFailed(tx, given, instance);
  else throw bug(`an instance cannot leave its host while ${instance.status}`);
}

/** Removes the instance and everything that goes with it; what it held is free again. */
async function finishDelete(tx: WriteTx, given: LeaveGiven, instance: Instance): Promise<void> {
  const mine = tx.account(instance.account);
  await tx.claims.release(instance.id);
  const rest = { given, until: given.at + given.quarantineMs };
  for (const attachment of await mine.attachments.ofInstance(instance.id)) {
    const row = await mine.interfaces.get(attachment.interfaceId);
    await mine.attachments.delete(attachment.id);
    if (row) await unbindInterface(mine, row, rest);
  }
  await mine.instances.delete(instance.id);
  await mine.quotas.giveBack("instances", 1);
}

/** The instance is stopped; its host is free for others. */
async function finishStop(tx: WriteTx, given: Given, instance: Instance): Promise<void> {
  await release(tx, given, instance);
  await tx.account(instance.account).instances.update(touched(toStopped(instance), given.rng));
}

/** The instance stays failed, but holds no host any more and can be started again. */
async function finishFailed(tx: WriteTx, given: Given, instance: Instance): Promise<void> {
  await release(tx, given, instance);
  await tx.account(instance.account).instances.update(touched(offHost(instance), given.rng));
}

/** Marks the instance as being deleted; finishes at once when it holds no host. */
export async function beginDelete(
  tx: WriteTx,
  given: LeaveGiven,
  instance: Instance,
): Promise<Instance> {
  const deleting = touched(toDeleting(instance, await leaveHost(tx, instance)), given.rng);
  if (deleting.placement) await tx.account(instance.account).instances.update(deleting);
  else await finishDelete(tx, given, instance);
  return deleting;
}

async function release(tx: WriteTx, given: Given, instance: Instance): Promise<void> {
  await tx.claims.release(instance.id);
  const { attachments } = tx.account(instance.account);
  for (const attachment of await attachments.ofInstance(instance.id)) {
    const unseen = { ...attachment, ...UNSEEN };
    await attachments.update(touched(unseen, given.rng));
  }
}
