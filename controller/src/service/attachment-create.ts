// Adds attachments to an instance that exists: everything is checked, then all are written at their
// place in the order, or none.
import { bug } from "@railyard/lib/errors";
import type { AttachmentId, InstanceId } from "@railyard/lib/ids";
import { isLeaving } from "../domain/attachment.js";
import { insertAt, slotOf } from "../domain/attachment-order.js";
import { Faults } from "../domain/faults.js";
import type { LifecycleReason } from "../domain/lifecycle.js";
import type { AttachmentView } from "./attachment.js";
import {
  type Edit,
  finishEdit,
  noSuchSlot,
  openEdit,
  reasonsOf,
  seatOf,
} from "./attachment-edit.js";
import { attachAll } from "./attachment-write.js";
import type { Mutation, ServiceContext } from "./context.js";
import {
  type AttachmentPaths,
  type AttachmentPlan,
  type AttachmentWish,
  checkHome,
  checkRoom,
  type Home,
  planAttachments,
} from "./instance-attachments.js";
import { remapEmptyNetwork } from "./mapping.js";
import { mutateMine } from "./tenant.js";

export interface CreateAttachments {
  readonly instanceId: InstanceId;
  /** In order. */
  readonly wishes: readonly AttachmentWish[];
  /** The attachment that follows them; undefined: they come last. */
  readonly before: AttachmentId | undefined;
  readonly paths: AttachmentPaths;
}

/** Adds attachments, all or none. Errors: every bad field at once; status; quota; no address. */
export function createAttachments<A>(
  ctx: ServiceContext,
  call: Mutation<readonly AttachmentView[], A>,
  input: CreateAttachments,
): Promise<A> {
  const { instanceId } = input;
  return mutateMine(ctx, call, async (tx, given) => {
    const edit = await openEdit(tx, given, { ctx, instanceId });
    const { mine, instance, profile, views } = edit;
    const { home, plans, slot, reasons } = await planCreate(edit, input);
    if (!instance.clusterNetworkId) {
      await remapEmptyNetwork(tx, ctx, { network: home.network, wanted: profile, given });
    }
    const { account } = instance;
    const making = { instanceId, account, plans, reasons: [], behind: views.length };
    const made = await attachAll(mine, given, making);
    const before = views.map(({ attachment }) => attachment);
    const rows = insertAt(before, slot, made);
    const layout = await finishEdit(edit, { rows, reasons, network: home.network.id });
    return layout.slice(slot, slot + made.length);
  });
}

interface CreatePlan {
  readonly home: Home;
  readonly plans: readonly AttachmentPlan[];
  readonly slot: number;
  /** Of the whole order to come. */
  readonly reasons: readonly (readonly LifecycleReason[])[];
}

async function planCreate(edit: Edit, input: CreateAttachments): Promise<CreatePlan> {
  const { tx, given, mine, instance, profile, views } = edit;
  const { wishes, before, paths } = input;
  const faults = new Faults();
  if (wishes.length === 0) faults.invalid(paths.all, "must name at least one");
  const taken = views.map(({ attachment }) => attachment.name);
  const plans = await planAttachments(mine, faults, { wishes, paths, taken, rng: given.rng });
  const staying = views.filter(({ attachment }) => !isLeaving(attachment));
  checkRoom(faults, paths.all, { count: staying.length + wishes.length, profile });
  const { clusterNetworkId: resident, zone, vpcId } = instance;
  const about = { zone, vpcId, profile, resident };
  const home = await checkHome(tx, faults, { plans, ...about, paths });
  const ids = views.map(({ attachment }) => attachment);
  const slot = slotOf(ids, before);
  if (slot === undefined) noSuchSlot(faults, before);
  const fresh = plans.map((plan, i) => {
    return { rail: plan?.subnet.rail, field: paths.at(i), leaving: false };
  });
  const seats = views.map((view) => seatOf(view, "before_id"));
  const order = insertAt(seats, slot ?? seats.length, fresh);
  const reasons = await reasonsOf(edit, faults, { seats: order, home });
  faults.throwIfAny();
  const complete = plans.filter((plan) => plan !== undefined);
  if (!home || slot === undefined || complete.length < plans.length) {
    throw bug("a fault was not recorded");
  }
  return { home, plans: complete, slot, reasons };
}
