// Writes an instance's ordered attachments: makes new ones with their interfaces, keeps the order's
// positions, takes away what was removed. Whether it may be done was decided before.
import { bug } from "@railyard/lib/errors";
import { type AccountId, type AttachmentId, type InstanceId, newIds } from "@railyard/lib/ids";
import { type Attachment, UNSEEN } from "../domain/attachment.js";
import type { Interface } from "../domain/interface.js";
import type { LifecycleReason } from "../domain/lifecycle.js";
import type { AccountRows } from "../store/contract.js";
import { newborn, touched } from "./change.js";
import type { AttachmentPlan } from "./instance-attachments.js";
import { type MacRest, makeInterfaces, unbindInterface } from "./interface-life.js";
import type { Given } from "./mutate.js";

/** A row and what its lifecycle says besides its state. */
export interface Ordered {
  readonly row: Attachment;
  readonly reasons: readonly LifecycleReason[];
}

/**
 * Gives every attachment the position that it has in `after`. Those of which their owner sees no
 * change, their successor included, are left alone.
 */
export async function writeOrder(
  mine: AccountRows,
  given: Given,
  { before, after }: { readonly before: readonly Attachment[]; readonly after: readonly Ordered[] },
): Promise<void> {
  const successor = new Map(before.map(({ id }, i) => [id, before[i + 1]?.id]));
  for (const [position, { row, reasons }] of after.entries()) {
    const next = after[position + 1]?.row.id;
    const same = row.position === position && successor.get(row.id) === next;
    if (same && JSON.stringify(row.lifecycleReasons) === JSON.stringify(reasons)) continue;
    const moved = { ...row, position, lifecycleReasons: reasons };
    await mine.attachments.update(touched(moved, given.rng));
  }
}

/** Removes an attachment; its interface is deleted with it or free again. The order has a gap. */
export async function detach(mine: AccountRows, row: Attachment, rest: MacRest): Promise<void> {
  const bound = await mine.interfaces.get(row.interfaceId);
  await mine.attachments.delete(row.id);
  if (bound) await unbindInterface(mine, bound, rest);
}

interface Making {
  readonly instanceId: InstanceId;
  readonly account: AccountId;
  readonly plans: readonly AttachmentPlan[];
  /** What is worth saying about each although it was accepted. */
  readonly reasons: readonly (readonly LifecycleReason[])[];
  /** How many there are. */
  readonly behind: number;
}

/** Writes new attachments behind those there are, making the interfaces that are new. */
export async function attachAll(
  mine: AccountRows,
  given: Given,
  wanted: Making,
): Promise<readonly Attachment[]> {
  const made = await makeAttachments(mine, given, wanted);
  await mine.attachments.insertAll(made);
  return made;
}

/** The same, their interfaces written and they themselves not yet: they refer to their instance. */
export async function makeAttachments(
  mine: AccountRows,
  given: Given,
  wanted: Making,
): Promise<readonly Attachment[]> {
  const { instanceId, account, plans, reasons, behind } = wanted;
  const ids = newIds("attachment", given, plans.length);
  const interfaces = await interfacesOf(mine, given, { plans, ids });
  const made: Attachment[] = [];
  for (const [i, plan] of plans.entries()) {
    const id = ids[i];
    const row = interfaces[i];
    if (!id || !row) throw bug("a planned attachment got no interface");
    const attachment: Attachment = {
      id,
      instanceId,
      clusterNetworkId: plan.subnet.clusterNetworkId,
      interfaceId: row.id,
      name: plan.name,
      position: behind + i,
      ...UNSEEN,
      ...newborn(given, account),
      lifecycleReasons: reasons[i] ?? [],
    };
    made.push(attachment);
  }
  return made;
}

async function interfacesOf(
  mine: AccountRows,
  given: Given,
  wanted: { readonly plans: readonly AttachmentPlan[]; readonly ids: readonly AttachmentId[] },
): Promise<readonly (Interface | undefined)[]> {
  const { plans, ids } = wanted;
  const makings = plans.flatMap(({ bound }, i) =>
    bound.kind === "new" ? [{ plan: bound.plan, targetId: ids[i] }] : [],
  );
  const fresh = [...(await makeInterfaces(mine, given, makings))];
  const rows: (Interface | undefined)[] = [];
  for (const [i, { bound }] of plans.entries()) {
    if (bound.kind === "new") {
      rows.push(fresh.shift());
    } else {
      const row = touched({ ...bound.row, targetId: ids[i] }, given.rng);
      await mine.interfaces.update(row);
      rows.push(row);
    }
  }
  return rows;
}
