// Use cases of instances that exist: read, rename, set policies, stop, delete. Creating and
// starting have files of their own; what happens after absence was observed is in
// instance-leave.ts.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { InstanceId } from "@railyard/lib/ids";
import type { Soon } from "@railyard/lib/soon";
import type { Attachment } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { Faults } from "../domain/faults.js";
import { stayingAsUnwell } from "../domain/host-failure.js";
import {
  allows,
  type Instance,
  type InstanceAction,
  type InstancePlacement,
  type InstanceSpec,
  QUEUED_ACTIONS_MAX,
  type QueuedAction,
  statusesFor,
  toStopped,
  toStopping,
} from "../domain/instance.js";
import type { MaybeGone } from "../domain/lifecycle.js";
import type { InstanceProfile } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Nearness } from "../placement/fleet.js";
import type { AccountReads, InstanceFilter, ListQuery, Page, ShownRow } from "../store/contract.js";
import { writeOrder } from "./attachment-write.js";
import { checkEtag, checkMask, touched } from "./change.js";
import type { Mutation, ServiceContext, TenantCall } from "./context.js";
import { findInstance } from "./find.js";
import { beginDelete, leaveHost } from "./instance-leave.js";
import { planProfile } from "./instance-profile.js";
import type { MutationGiven } from "./mutate.js";
import { checkNewName, hasAny } from "./naming.js";
import { type NamedRef, References } from "./references.js";
import { mutateMine, readMine, type TenantReads, type TenantTx } from "./tenant.js";

const TYPE = RESOURCE_TYPE.instance;
/** Paths that an update may name; a path below another one changes that part alone. */
const UPDATABLE = [
  "name",
  "profile",
  "profile.name",
  "metadata_service",
  "metadata_service.enabled",
  "metadata_service.protocol",
  "metadata_service.hop_limit",
  "availability_policy",
  "availability_policy.host_failure",
];

export interface InstanceView {
  readonly instance: Instance;
  /** Undefined when it is no longer on offer. */
  readonly profile: InstanceProfile | undefined;
  readonly network: ClusterNetwork | undefined;
  /** In order of position. */
  readonly attachments: readonly (Attachment & MaybeGone)[];
  readonly vpc: NamedRef;
  readonly image: NamedRef;
  /** Undefined when it boots from local disk. */
  readonly bootVolume: NamedRef | undefined;
  readonly volumes: readonly NamedRef[];
  readonly keys: readonly NamedRef[];
  /** Of the VPC network attachments, the primary first. */
  readonly vpcSubnets: readonly NamedRef[];
}

export function getInstance(
  ctx: ServiceContext,
  call: TenantCall,
  id: InstanceId,
): Promise<InstanceView> {
  return readMine(ctx, call, async (tx) => instanceView(ctx, tx, await findInstance(tx.mine, id)));
}

/**
 * The instance as its owner sees it, encoded, from beside its row; undefined when it is not there,
 * and when bytes are not kept.
 */
export function shownInstance(
  ctx: ServiceContext,
  call: TenantCall,
  id: InstanceId,
): Soon<Uint8Array | undefined> {
  return ctx.store.shownInstance(call.account, id);
}

/** A page of the same; undefined when bytes are not kept. */
export function listShownInstances(
  ctx: ServiceContext,
  call: TenantCall,
  query: ListQuery<InstanceFilter>,
): Promise<Page<ShownRow> | undefined> {
  return readMine(ctx, call, (tx) => tx.mine.instances.listShown(query));
}

export function listInstances(
  ctx: ServiceContext,
  call: TenantCall,
  query: ListQuery<InstanceFilter>,
): Promise<Page<InstanceView>> {
  return readMine(ctx, call, async (tx) => {
    const page = await tx.mine.instances.list(query);
    const rows: InstanceView[] = [];
    for (const row of page.rows) rows.push(await instanceView(ctx, tx, row));
    return { ...page, rows };
  });
}

export interface UpdateInstance {
  readonly id: InstanceId;
  readonly etag: string;
  readonly mask: readonly string[];
  readonly name: string;
  /** Name of the instance profile. */
  readonly profile: string;
  readonly metadataService: InstanceSpec["metadataService"];
  readonly hostFailure: InstanceSpec["hostFailure"];
}

/**
 * Renames an instance or changes its settings, on its machine too when it has one; its profile only
 * while it has none.
 */
export function updateInstance<A>(
  ctx: ServiceContext,
  call: Mutation<InstanceView, A>,
  input: UpdateInstance,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const before = await findInstance(mine, input.id);
    const faults = new Faults();
    checkMask(faults, input.mask, UPDATABLE);
    const after = masked(before, input);
    const wish = { field: "instance.name", name: after.name, taken: instanceNameTaken(mine) };
    if (after.name !== before.name) await checkNewName(faults, wish);
    const changesProfile = after.profile !== before.profile;
    const reshaped = changesProfile && (await planProfile(ctx, { tx, faults }, after));
    faults.throwIfAny();
    checkEtag(before, input.etag, TYPE);
    if (changesProfile && !allows(before, "changing its profile")) {
      throw refuseStatus(before, "changing its profile");
    }
    if (sameSettings(before, after)) return instanceView(ctx, tx, before);
    if (reshaped) {
      await writeOrder(mine, given, reshaped);
      await tx.railSets.remove(before.id);
    }
    const { placement } = before;
    if (placement?.phase === "present" && !sameOnNode(before, after)) {
      await tx.outbox.raise(placement.nodeId);
    }
    const written = touched(after, given.rng);
    await mine.instances.update(written);
    if (placement?.phase === "present") await refuseTooLarge(ctx, tx, { id: before.id, placement });
    return instanceView(ctx, tx, written);
  });
}

/** Stops an instance; it holds its host until it was seen gone. `force` drops what waits. */
export function stopInstance<A>(
  ctx: ServiceContext,
  call: Mutation<InstanceView, A>,
  input: { readonly id: InstanceId; readonly etag: string; readonly force?: boolean },
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const found = await findInstance(mine, input.id);
    checkEtag(found, input.etag, TYPE);
    if (!allows(found, "stop")) throw refuseStatus(found, "stop");
    const instance = input.force ? { ...found, queuedActions: [] } : found;
    const placement = await leaveHost(tx, instance);
    const after = placement ? toStopping(instance, placement) : toStopped(instance);
    const written = touched(stayingAsUnwell(instance, after), given.rng);
    await mine.instances.update(written);
    tellInstance(given, written);
    return instanceView(ctx, tx, written);
  });
}

/** Deletes an instance in any status; a second delete answers with it as it is. */
export function deleteInstance<A>(
  ctx: ServiceContext,
  call: Mutation<InstanceView, A>,
  input: { readonly id: InstanceId; readonly etag: string },
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const instance = await findInstance(tx.mine, input.id);
    checkEtag(instance, input.etag, TYPE);
    const view = await instanceView(ctx, tx, instance);
    if (instance.status === "deleting") return view;
    const { quarantineMs } = ctx.settings;
    const deleting = await beginDelete(tx, { ...given, quarantineMs }, instance);
    tellInstance(given, deleting);
    const isGone = deleting.placement === undefined;
    const attachments = view.attachments.map((row) => ({ ...row, deleted: isGone }));
    return { ...view, attachments, instance: deleting };
  });
}

/** A placed instance may not outgrow the message that carries its node's desired state. */
async function refuseTooLarge(
  ctx: ServiceContext,
  tx: TenantTx,
  { id, placement }: { readonly id: InstanceId; readonly placement: InstancePlacement },
): Promise<void> {
  if (await tx.fitsMessage(ctx, placement.nodeId)) return;
  throw refuse("precondition", `there is no room for this change of ${TYPE} ${id} where it runs`, {
    reason: "INSTANCE_DESIRED_STATE_TOO_LARGE",
    resource: { type: TYPE, id },
  });
}

/**
 * Logs, once it is committed, where the instance stands from now on, and how near that is to its
 * place before.
 */
export function tellInstance({ tell }: MutationGiven, instance: Instance, near?: Nearness): void {
  const { id, clusterNetworkId, placement, status, statusReasons } = instance;
  const [nodeId, reason] = [placement?.nodeId, statusReasons[0]?.code];
  const where = { networkId: clusterNetworkId, nodeId, near };
  tell({ instanceId: id, ...where, status, reason }, "instance changed");
}

/** The refusal of an action that the present status does not allow. */
export function refuseStatus(instance: Instance, action: InstanceAction): RailyardError {
  const { id, status, placement } = instance;
  const allowed = statusesFor(action).join(", ");
  const isLeaving = status === "failed" && placement !== undefined;
  const held = isLeaving ? " and is still being taken off its host" : "";
  const text = `${TYPE} ${id} is ${status}${held}; ${action} is allowed from: ${allowed}`;
  return refuse("precondition", text, {
    reason: "INSTANCE_STATUS_CONFLICT",
    resource: { type: TYPE, id },
    metadata: { status, allowed },
  });
}

/** The instance with one more action waiting; throws `precondition` INSTANCE_ACTIONS_QUEUED. */
export function enqueue(instance: Instance, action: QueuedAction): Instance {
  const { id, queuedActions } = instance;
  if (queuedActions.length < QUEUED_ACTIONS_MAX) {
    return { ...instance, queuedActions: [...queuedActions, action] };
  }
  const text = `${QUEUED_ACTIONS_MAX} actions wait for ${TYPE} ${id} already`;
  const metadata = { limit: String(QUEUED_ACTIONS_MAX), queued: queuedActions.join(",") };
  throw refuse("precondition", text, {
    reason: "INSTANCE_ACTIONS_QUEUED",
    resource: { type: TYPE, id },
    metadata,
  });
}

export function instanceNameTaken(mine: AccountReads) {
  return (name: string) => hasAny(mine.instances, { name });
}

/** The instance with everything that its references show. */
export async function instanceView(
  ctx: Pick<ServiceContext, "catalog">,
  tx: TenantReads,
  instance: Instance,
): Promise<InstanceView> {
  const { account, spec, clusterNetworkId } = instance;
  const { mine } = tx;
  const refs = new References(ctx, tx, account);
  const nics = [spec.primaryNetworkAttachment, ...spec.networkAttachments];
  return {
    instance,
    profile: await tx.profiles.instance(instance.profile),
    network: clusterNetworkId && (await mine.clusterNetworks.get(clusterNetworkId)),
    attachments: clusterNetworkId ? await mine.attachments.ofInstance(instance.id) : [],
    vpc: await refs.get("vpc", instance.vpcId),
    image: await refs.get("image", spec.imageId),
    bootVolume: spec.bootVolume && (await refs.get("volume", spec.bootVolume.id)),
    volumes: await refs.all("volume", spec.volumeIds),
    keys: await refs.all("key", spec.keyIds),
    vpcSubnets: await refs.all(
      "vpcSubnet",
      nics.map((nic) => nic.subnetId),
    ),
  };
}

const endViews = new WeakMap<Instance, InstanceView>();

/** To be told what the transaction leaves of the instance and of all that its view shows. */
export function endView(view: InstanceView): InstanceView {
  endViews.set(view.instance, view);
  return view;
}

/** The same view to whoever looks at the row when the transaction ends. */
export function seenAtEnd(row: Instance): InstanceView | undefined {
  return endViews.get(row);
}

function masked(before: Instance, { mask, ...values }: UpdateInstance): Instance {
  const names = (path: string, part?: string) =>
    mask.includes(path) || (part !== undefined && mask.includes(`${path}.${part}`));
  const ofService = (part: string) => names("metadata_service", part);
  const { metadataService, hostFailure, name, profile } = values;
  const { enabled, protocol, hopLimit } = metadataService;
  const spec = {
    ...before.spec,
    metadataService: {
      ...before.spec.metadataService,
      ...(ofService("enabled") && { enabled }),
      ...(ofService("protocol") && { protocol }),
      ...(ofService("hop_limit") && { hopLimit }),
    },
    ...(names("availability_policy", "host_failure") && { hostFailure }),
  };
  return {
    ...before,
    spec,
    ...(names("name") && { name }),
    ...(names("profile", "name") && { profile }),
  };
}

function sameSettings(a: Instance, b: Instance): boolean {
  const same = a.profile === b.profile && a.spec.hostFailure === b.spec.hostFailure;
  return same && sameOnNode(a, b);
}

/** Whether the settings that are part of a node's desired state are the same. */
function sameOnNode(a: Instance, b: Instance): boolean {
  const [x, y] = [a.spec.metadataService, b.spec.metadataService];
  const same = x.enabled === y.enabled && x.protocol === y.protocol && x.hopLimit === y.hopLimit;
  return same && a.name === b.name;
}
