// Starts instances: asks placement for a host and writes what came of it. Nothing fits → failed,
// saying in tenant-safe words what is short.
import { bug, refuse } from "@railyard/lib/errors";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import type { Attachment } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import {
  allows,
  type Instance,
  type InstanceStatusReason,
  toFailed,
  toStarting,
} from "../domain/instance.js";
import { type InstanceProfile, permittedCounts } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { ReadTx, WriteTx } from "../store/contract.js";
import { checkEtag, touched } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { fitsMessage } from "./desired.js";
import { accountOf, findInstance } from "./find.js";
import { type InstanceView, instanceView, refuseStatus, tellInstance } from "./instance.js";
import { countText } from "./instance-attachments.js";
import { hasHardware } from "./mapping.js";
import { type Given, mutate } from "./mutate.js";
import { PLACE_TRIES_MAX, placeInstance } from "./placing.js";

const TYPE = RESOURCE_TYPE.instance;

/** Starts a stopped or failed instance; it prefers its previous host. */
export function startInstance<A>(
  ctx: ServiceContext,
  call: Mutation<InstanceView, A>,
  input: { readonly id: InstanceId; readonly etag: string },
): Promise<A> {
  return mutate(ctx, call, async (tx, given) => {
    const mine = tx.account(accountOf(call.principal));
    const instance = await findInstance(mine, input.id);
    checkEtag(instance, input.etag, TYPE);
    if (!allows(instance, "start")) throw refuseStatus(instance, "start");
    const attachments = await mine.attachments.ofInstance(instance.id);
    const profile = await tx.profiles.instance(instance.profile);
    if (!profile) throw bug("an instance without its profile");
    refuseCount(instance, attachments.length, profile);
    const { clusterNetworkId } = instance;
    const network = clusterNetworkId && (await mine.clusterNetworks.get(clusterNetworkId));
    const started = await launch(tx, ctx, { given, instance, profile, network, attachments });
    tellInstance(given, started);
    return instanceView(ctx, tx, started);
  });
}

export interface Launch {
  readonly given: Given;
  readonly instance: Instance;
  readonly profile: InstanceProfile;
  readonly network: ClusterNetwork | undefined;
  readonly attachments: readonly Attachment[];
}

/**
 * Places a stored instance that holds no host and writes it as starting, or as failed for
 * capacity. A node whose desired state would grow too large is left out.
 */
export async function launch(tx: WriteTx, ctx: ServiceContext, launch: Launch): Promise<Instance> {
  const { given, instance, ...rest } = launch;
  const { instances } = tx.account(instance.account);
  const seed = `${instance.id}/${instance.bootCount}`;
  const exclude: NodeId[] = [];
  while (exclude.length < PLACE_TRIES_MAX) {
    const outcome = await placeInstance(tx, ctx, { instance, ...rest, seed, exclude });
    if ("refused" in outcome) break;
    const started = touched(toStarting(instance, outcome.placed), given.rng);
    await instances.update(started);
    const { nodeId } = outcome.placed;
    if (await fitsMessage(tx, ctx.catalog, nodeId)) return started;
    await tx.claims.release(instance.id);
    exclude.push(nodeId);
  }
  const failed = touched(toFailed(instance, await noRoom(tx, launch)), given.rng);
  await instances.update(failed);
  return failed;
}

/** What is short, without a word about machines. */
async function noRoom(
  tx: ReadTx,
  { instance: { zone }, network, profile, attachments }: Launch,
): Promise<InstanceStatusReason> {
  const where = { zone, cluster: network?.physicalClusterId };
  const waitingHelps = await hasHardware(tx, where, profile);
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
