// Use cases that change an instance's attachments while it holds no host, or is leaving it: move,
// remove, rename; and what adding has in common with them. The order stays total, and the rest of
// it keeps its order.
import { bug, refuse } from "@railyard/lib/errors";
import type { AttachmentId, ClusterNetworkId, InstanceId } from "@railyard/lib/ids";
import { type Attachment, isLeaving } from "../domain/attachment.js";
import { moved, without } from "../domain/attachment-order.js";
import { Faults } from "../domain/faults.js";
import { allows, type Instance } from "../domain/instance.js";
import { AWAITING_ABSENCE, type LifecycleReason } from "../domain/lifecycle.js";
import type { InstanceProfile } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { AccountRows } from "../store/contract.js";
import { type AttachmentView, layoutOf } from "./attachment.js";
import { detach, writeOrder } from "./attachment-write.js";
import { checkEtag, checkMask, lastState, touched } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { type AttachmentPath, findAttachment, findInstance } from "./find.js";
import { refuseStatus } from "./instance.js";
import { alignRails, type Home } from "./instance-attachments.js";
import type { Given } from "./mutate.js";
import { checkNewName } from "./naming.js";
import { railShape } from "./rail-set.js";
import { mutateMine, type TenantTx } from "./tenant.js";

const TYPE = RESOURCE_TYPE.attachment;

/** One change of an instance's attachments under way. */
export interface Edit {
  readonly tx: TenantTx;
  readonly ctx: ServiceContext;
  readonly given: Given;
  readonly mine: AccountRows;
  readonly instance: Instance;
  readonly profile: InstanceProfile;
  /** As they were before, in order. */
  readonly views: readonly AttachmentView[];
}

/** Throws `notFound`, or `precondition` INSTANCE_STATUS_CONFLICT unless changes are allowed now. */
export async function openEdit(
  tx: TenantTx,
  given: Given,
  of: { readonly ctx: ServiceContext; readonly instanceId: InstanceId },
): Promise<Edit> {
  const { mine } = tx;
  const instance = await findInstance(mine, of.instanceId);
  if (!allows(instance, "changing its attachments")) {
    throw refuseStatus(instance, "changing its attachments");
  }
  const profile = await tx.profiles.instance(instance.profile);
  if (!profile) throw bug("an instance without its profile");
  return { tx, ctx: of.ctx, given, mine, instance, profile, views: await layoutOf(tx, instance) };
}

/** One place of the order to come. */
export interface Seat {
  /** Declared by its subnet. */
  readonly rail: number | undefined;
  /** Where the request is wrong when the rail is. */
  readonly field: string;
  readonly leaving: boolean;
}

/** The seat of an attachment that there is; `field` is what moves it. */
export function seatOf({ attachment, subnet }: AttachmentView, field: string): Seat {
  return { rail: subnet.rail, field, leaving: isLeaving(attachment) };
}

/** What each seat's lifecycle says from now on; a fault for each that must not be so. */
export async function reasonsOf(
  { tx, ctx, profile }: Edit,
  faults: Faults,
  after: { readonly seats: readonly Seat[]; readonly home: Home | undefined },
): Promise<readonly (readonly LifecycleReason[])[]> {
  const { seats, home } = after;
  const staying = seats.filter(({ leaving }) => !leaving);
  const declared = staying.map(({ rail }) => rail);
  const shape = home && (await railShape(tx, ctx, { profile, home, declared }));
  const said = shape ? alignRails(faults, staying, shape) : [];
  return seats.map((seat) => {
    return seat.leaving ? [AWAITING_ABSENCE] : (said[staying.indexOf(seat)] ?? []);
  });
}

/** Writes the order and what follows for the instance; the whole layout as it is then. */
export async function finishEdit(
  { tx, given, mine, instance, views }: Edit,
  after: {
    readonly rows: readonly Attachment[];
    readonly reasons: readonly (readonly LifecycleReason[])[];
    readonly network: ClusterNetworkId | undefined;
  },
): Promise<readonly AttachmentView[]> {
  const ordered = after.rows.map((row, i) => ({ row, reasons: after.reasons[i] ?? [] }));
  const before = views.map(({ attachment }) => attachment);
  await writeOrder(mine, given, { before, after: ordered });
  const clusterNetworkId = after.rows.length > 0 ? after.network : undefined;
  if (!clusterNetworkId) await tx.railSets.remove(instance.id);
  const changed = touched({ ...instance, clusterNetworkId }, given.rng);
  await mine.instances.update(changed);
  return layoutOf(tx, changed);
}

export interface MoveAttachment extends AttachmentPath {
  readonly etag: string;
  /** The attachment that follows it; undefined: it comes last. */
  readonly before: AttachmentId | undefined;
}

/** Moves an attachment immediately ahead of another one, or last. */
export function moveAttachment<A>(
  ctx: ServiceContext,
  call: Mutation<AttachmentView, A>,
  input: MoveAttachment,
): Promise<A> {
  const { id, instanceId, before } = input;
  return mutateMine(ctx, call, async (tx, given) => {
    const edit = await openEdit(tx, given, { ctx, instanceId });
    const attachment = await findAttachment(edit.mine, input);
    checkEtag(attachment, input.etag, TYPE);
    if (isLeaving(attachment)) throw refuseLeaving(attachment);
    const faults = new Faults();
    const views = moved(edit.views.map(named), id, before);
    if (!views) noSuchSlot(faults, before, id);
    const order = views ?? edit.views.map(named);
    const reasons = await reasonsAfter(edit, faults, { views: order, field: "before_id" });
    faults.throwIfAny();
    const rows = order.map((view) => view.attachment);
    const network = edit.instance.clusterNetworkId;
    const layout = await finishEdit(edit, { rows, reasons, network });
    return viewOf(layout, id);
  });
}

/**
 * Removes an attachment: at once where no machine can hold it, otherwise it is `deleting` until its
 * instance was seen gone. One that is being deleted is answered as it is.
 */
export function deleteAttachment<A>(
  ctx: ServiceContext,
  call: Mutation<AttachmentView, A>,
  input: AttachmentPath & { readonly etag: string },
): Promise<A> {
  const { id, instanceId } = input;
  return mutateMine(ctx, call, async (tx, given) => {
    const edit = await openEdit(tx, given, { ctx, instanceId });
    const row = await findAttachment(edit.mine, input);
    checkEtag(row, input.etag, TYPE);
    const view = viewOf(edit.views, id);
    if (isLeaving(row)) return view;
    const held = await isHeld(tx, row);
    const leaving = { ...row, lifecycleState: "deleting" as const };
    const order = edit.views.map(named);
    const views = held
      ? order.map((one) => (one.id === id ? { ...one, attachment: leaving } : one))
      : without(order, id);
    const faults = new Faults();
    const reasons = await reasonsAfter(edit, faults, { views, field: "id" });
    faults.throwIfAny();
    const rest = { given, until: given.at + ctx.settings.quarantineMs };
    if (!held) await detach(edit.mine, row, rest);
    const rows = views.map(({ attachment }) => attachment);
    const network = edit.instance.clusterNetworkId;
    const layout = await finishEdit(edit, { rows, reasons, network });
    return held ? viewOf(layout, id) : lastView(view);
  });
}

export interface UpdateAttachment extends AttachmentPath {
  readonly etag: string;
  readonly mask: readonly string[];
  readonly name: string;
}

/** Renames an attachment, in whatever status its instance is. */
export function updateAttachment<A>(
  ctx: ServiceContext,
  call: Mutation<AttachmentView, A>,
  input: UpdateAttachment,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const before = await findAttachment(mine, input);
    const instance = await findInstance(mine, input.instanceId);
    const faults = new Faults();
    checkMask(faults, input.mask, ["name"]);
    const name = input.mask.includes("name") ? input.name : before.name;
    if (name !== before.name) {
      const siblings = await mine.attachments.ofInstance(instance.id);
      const taken = async (wanted: string) => siblings.some((one) => one.name === wanted);
      await checkNewName(faults, { field: `${TYPE}.name`, name, taken });
    }
    faults.throwIfAny();
    checkEtag(before, input.etag, TYPE);
    if (name !== before.name) {
      await mine.attachments.update(touched({ ...before, name }, given.rng));
    }
    return viewOf(await layoutOf(tx, instance), input.id);
  });
}

/** Adds the fault of a `before_id` ahead of which nothing can be put. */
export function noSuchSlot(
  faults: Faults,
  before: AttachmentId | undefined,
  moving?: AttachmentId,
): void {
  const field = "before_id";
  const reason = "ATTACHMENT_ORDER_INVALID";
  if (before === undefined) throw bug("there is always room at the end");
  if (before === moving) {
    faults.invalid(field, "must be another attachment than the one that moves", reason);
    return;
  }
  const resource = { type: TYPE, id: before };
  const description = `${TYPE} ${before} not found`;
  faults.add({ code: "notFound", field, description, reason, resource });
}

async function reasonsAfter(
  edit: Edit,
  faults: Faults,
  after: { readonly views: readonly AttachmentView[]; readonly field: string },
): Promise<readonly (readonly LifecycleReason[])[]> {
  const { tx, mine, instance } = edit;
  const { clusterNetworkId: id } = instance;
  const network = id && (await mine.clusterNetworks.get(id));
  const profile = network && (await tx.profiles.clusterNetwork(network.profile));
  const seats = after.views.map((view) => seatOf(view, after.field));
  return reasonsOf(edit, faults, { seats, home: profile && { network, profile } });
}

/** Whether the instance's host holds something for the attachment. */
async function isHeld(tx: TenantTx, { id, instanceId }: Attachment): Promise<boolean> {
  const claim = await tx.claims.ofInstance(instanceId);
  return claim?.vfs.some(({ attachmentId }) => attachmentId === id) ?? false;
}

function named(view: AttachmentView): AttachmentView & { readonly id: AttachmentId } {
  return { ...view, id: view.attachment.id };
}

/** What a removed attachment showed, and which of it went along. */
function lastView(view: AttachmentView): AttachmentView {
  const { interface: bound, primaryIp: ip } = view;
  const deleted = bound.autoDelete;
  return {
    ...view,
    interface: { ...bound, deleted },
    primaryIp: { ...ip, deleted: deleted && ip.autoDelete },
    attachment: lastState(view.attachment),
  };
}

function viewOf(layout: readonly AttachmentView[], id: AttachmentId): AttachmentView {
  const view = layout.find(({ attachment }) => attachment.id === id);
  if (!view) throw bug("an attachment outside its instance's order");
  return view;
}

function refuseLeaving({ id }: Attachment) {
  return refuse("precondition", `${TYPE} ${id} is being deleted`, {
    reason: "ATTACHMENT_ORDER_INVALID",
    resource: { type: TYPE, id },
  });
}
