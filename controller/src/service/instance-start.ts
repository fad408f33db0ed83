// Starts instances: asks placement for a host and writes what came of it. Nothing fits → failed,
// saying in tenant-safe words what is short.
import { bug, refuse } from "@railyard/lib/errors";
import type { InstanceId } from "@railyard/lib/ids";
import { type Attachment, isLeaving } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import {
  allows,
  type Instance,
  type InstanceStatusReason,
  queues,
  toFailed,
  toStarting,
} from "../domain/instance.js";
import { type InstanceProfile, permittedCounts } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Nearness } from "../placement/fleet.js";
import { checkEtag, touched } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { findInstance } from "./find.js";
import { refuseHostLost } from "./host-lost.js";
import {
  enqueue,
  type InstanceView,
  instanceView,
  refuseStatus,
  tellInstance,
} from "./instance.js";
import { countText } from "./instance-attachments.js";
import { hasHardware } from "./mapping.js";
import type { Given } from "./mutate.js";
import { placeInstance } from "./placing.js";
import { declaredRails, keepRails, noteRails, refuseRails } from "./rail-set.js";
import { mutateMine, type TenantReads, type TenantTx } from "./tenant.js";

const TYPE = RESOURCE_TYPE.instance;

/** Starts a stopped or failed instance, or once it has stopped; it prefers its previous host. */
export function startInstance<A>(
  ctx: ServiceContext,
  call: Mutation<StartedView, A>,
  input: { readonly id: InstanceId; readonly etag: string },
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const instance = await findInstance(mine, input.id);
    checkEtag(instance, input.etag, TYPE);
    await refuseHostLost(tx, instance);
    const waits = queues(instance, "start");
    if (!waits && !allows(instance, "start")) throw refuseStatus(instance, "start");
    const all = await mine.attachments.ofInstance(instance.id);
    const attachments = all.filter((attachment) => !isLeaving(attachment));
    const profile = await tx.profiles.instance(instance.profile);
    if (!profile) throw bug("an instance without its profile");
    refuseCount(instance, attachments.length, profile);
    if (waits) {
      const waiting = touched(enqueue(instance, "start"), given.rng);
      await mine.instances.update(waiting);
      return { near: undefined, ...(await instanceView(ctx, tx, waiting)) };
    }
    const { clusterNetworkId } = instance;
    const network = clusterNetworkId && (await mine.clusterNetworks.get(clusterNetworkId));
    await refuseRails(tx, ctx, { instance, profile, network, attachments });
    const started = await launch(tx, ctx, { given, instance, profile, network, attachments });
    tellInstance(given, started.instance, started.near);
    return { near: started.near, ...(await instanceView(ctx, tx, started.instance)) };
  });
}

/** What became of a start. */
export interface Launched {
  readonly instance: Instance;
  /** Undefined when it was nowhere before, or is nowhere now. */
  readonly near: Nearness | undefined;
}

/** What the operator's log says of a start that nobody waits for. */
export const PLACED_ANEW = "instance placed anew";

/** The fields of that line. */
export function whereOf({ instance: { id, placement, status }, near }: Launched) {
  return { instanceId: id, nodeId: placement?.nodeId, status, near };
}

export type StartedView = InstanceView & Pick<Launched, "near">;

export interface Launch {
  readonly given: Given;
  readonly instance: Instance;
  readonly profile: InstanceProfile;
  readonly network: ClusterNetwork | undefined;
  readonly attachments: readonly Attachment[];
  /** Its row is not there yet, and neither are those of its attachments; default: they are. */
  readonly isNew?: boolean;
}

/** Places a stored instance that holds no host: written as starting, or as failed for capacity. */
export async function launch(tx: TenantTx, ctx: ServiceContext, launch: Launch): Promise<Launched> {
  const started = await tryPlace(tx, ctx, launch);
  if (started) return started;
  const failed = await withoutRoom(tx, ctx, launch);
  await tx.mine.instances.update(failed);
  return { instance: failed, near: undefined };
}

/** The instance as it is when nothing fits; the caller writes it. */
export async function withoutRoom(
  tx: TenantReads,
  ctx: ServiceContext,
  launch: Launch,
): Promise<Instance> {
  return touched(toFailed(launch.instance, await noRoom(tx, ctx, launch)), launch.given.rng);
}

/**
 * Places an instance that holds no host and writes it as starting; undefined when nothing fits, its
 * row is then what it was given.
 */
export async function tryPlace(
  tx: TenantTx,
  ctx: ServiceContext,
  launch: Launch,
): Promise<Launched | undefined> {
  const { given, instance, isNew = false, ...rest } = launch;
  const seed = `${instance.id}/${instance.bootCount}`;
  const declared = await declaredRails(tx, launch);
  const pinned = declared?.network.railAlignment === "required" ? declared.rails : [];
  const outcome = await placeInstance(tx, ctx, { instance, ...rest, pinned, seed });
  if ("refused" in outcome) {
    if (isNew) await insert(tx, instance, rest.attachments);
    return undefined;
  }
  const { placed: placement, near } = outcome;
  const boots = toStarting(instance, placement);
  const started = isNew ? boots : touched(boots, given.rng);
  if (isNew) await insert(tx, started, rest.attachments);
  else await tx.mine.instances.update(started);
  await keepRails(tx, launch, placement);
  if (declared) await noteRails(tx, given, { wish: launch, declared, placement });
  return { instance: started, near };
}

async function insert(
  { mine }: TenantTx,
  instance: Instance,
  attachments: readonly Attachment[],
): Promise<void> {
  await mine.instances.insert(instance);
  await mine.attachments.insertAll(attachments);
}

/** What is short, without a word about machines. */
async function noRoom(
  tx: TenantReads,
  ctx: ServiceContext,
  { instance: { zone }, network, profile, attachments }: Launch,
): Promise<InstanceStatusReason> {
  const where = { zone, cluster: network?.physicalClusterId, wanted: profile };
  const waitingHelps = await hasHardware(tx, ctx, where);
  const gpus = profile.gpu ? `, ${profile.gpu.count} ${profile.gpu.model} GPUs` : "";
  return {
    code: "cannot_start_capacity",
    message: `there is no room for an instance of ${profile.name} in ${zone} just now`,
    metadata: {
      shape: `${profile.vcpu} vCPU, ${profile.memoryGib} GiB${gpus}`,
      attachments: String(attachments.length),
      asked: "1",
      fit: "0",
      waiting_can_help: String(waitingHelps),
    },
  };
}

function refuseCount({ id }: Instance, count: number, profile: InstanceProfile): void {
  if (count === 0 || permittedCounts(profile).includes(count)) return;
  throw refuse("precondition", countText(count, profile), {
    reason: "ATTACHMENT_COUNT_NOT_PERMITTED",
    resource: { type: TYPE, id },
    metadata: { permitted: [0, ...permittedCounts(profile)].join(",") },
  });
}
