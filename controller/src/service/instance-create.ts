// Creates instances: everything is checked, then written and placed in one transaction.
import { bug } from "@railyard/lib/errors";
import { newId } from "@railyard/lib/ids";
import type { Attachment } from "../domain/attachment.js";
import { Faults } from "../domain/faults.js";
import type { Instance, InstanceSpec } from "../domain/instance.js";
import type { LifecycleReason } from "../domain/lifecycle.js";
import type { InstanceProfile } from "../domain/profile.js";
import type { AccountRows } from "../store/contract.js";
import { attachAll, makeAttachments } from "./attachment-write.js";
import { newborn } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { accountOf } from "./find.js";
import {
  endView,
  type InstanceView,
  instanceNameTaken,
  instanceView,
  tellInstance,
} from "./instance.js";
import {
  type AttachmentPlan,
  type AttachmentWish,
  alignRails,
  checkCount,
  checkHome,
  type Home,
  listPaths,
  planAttachments,
} from "./instance-attachments.js";
import { type Launch, tryPlace, withoutRoom } from "./instance-start.js";
import { resolveTemplate, type TemplateWish } from "./instance-template.js";
import { remapEmptyNetwork } from "./mapping.js";
import type { Given } from "./mutate.js";
import { chooseName } from "./naming.js";
import { railShape } from "./rail-set.js";
import type { TemplateCheck } from "./template-check.js";
import { mutateMine, type TenantTx } from "./tenant.js";
import { claimVolumes } from "./volume.js";

export interface CreateInstance extends TemplateWish {
  readonly name: string;
  readonly resourceGroupId: string;
  /** In order of position. */
  readonly clusterNetworkAttachments: readonly AttachmentWish[];
}

/** An instance that can be written. */
export interface InstancePlan {
  readonly name: string;
  readonly profile: InstanceProfile;
  readonly vpcId: string;
  readonly spec: InstanceSpec;
  readonly home: Home | undefined;
  readonly attachments: readonly AttachmentPlan[];
  /** What is worth saying about each attachment. */
  readonly reasons: readonly (readonly LifecycleReason[])[];
}

const PATHS = listPaths("template.cluster_network_attachments", "template.profile");

/**
 * Creates an instance and starts it. When nothing fits, its account is told of it as pending and
 * then as failed for capacity, which is what the answer shows. Errors: every bad field at once;
 * quota; no address left.
 */
export function createInstance<A>(
  ctx: ServiceContext,
  call: Mutation<InstanceView, A>,
  input: CreateInstance,
): Promise<A> {
  const account = accountOf(call.principal);
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const { at, rng } = given;
    const check = { tx, ctx, account, faults: new Faults(), at, rng, wish: input };
    const plan = await planInstance(check, input);
    await mine.quotas.take("instances", 1);
    const { profile, home } = plan;
    const network =
      home && (await remapEmptyNetwork(tx, ctx, { network: home.network, wanted: profile, given }));
    const instance = draft(given, plan, { account, ...input });
    const attachments = await makeAttachments(mine, given, attaching(instance, plan));
    // Written once, as it was placed.
    const launch = { given, instance, profile, network, attachments, isNew: true };
    const started = await tryPlace(tx, ctx, launch);
    await claimVolumes(tx, instance);
    const outcome = started?.instance ?? (await failPending(tx, ctx, launch));
    tellInstance(given, outcome);
    return endView(await instanceView(ctx, tx, outcome));
  });
}

/** Tells of the instance, written as pending, before it writes it as failed for capacity. */
async function failPending(tx: TenantTx, ctx: ServiceContext, launch: Launch): Promise<Instance> {
  await tx.moment();
  const failed = await withoutRoom(tx, ctx, launch);
  await tx.mine.instances.update(failed);
  return failed;
}

/** The instance without a host, and its attachments, written. */
export async function writeAttached(
  mine: AccountRows,
  given: Given,
  { instance, plan }: { readonly instance: Instance; readonly plan: InstancePlan },
): Promise<readonly Attachment[]> {
  await mine.instances.insert(instance);
  return attachAll(mine, given, attaching(instance, plan));
}

/** What the instance is attached by. */
function attaching({ id, account }: Instance, { attachments, reasons }: InstancePlan) {
  return { instanceId: id, account, plans: attachments, reasons, behind: 0 };
}

/** Everything about the instance, checked and not written; throws every bad field at once. */
export async function planInstance(
  check: TemplateCheck,
  input: CreateInstance,
): Promise<InstancePlan> {
  const { tx, ctx, faults, rng } = check;
  const { mine } = tx;
  const taken = instanceNameTaken(mine);
  const name = await chooseName(faults, { field: "name", name: input.name, rng, taken });
  const template = await resolveTemplate(check);
  const wishes = input.clusterNetworkAttachments;
  const asked = { paths: PATHS, rng, taken: [], resident: undefined };
  const plans = await planAttachments(mine, faults, { wishes, ...asked });
  const { profile, vpcId, spec } = template;
  if (profile) checkCount(faults, PATHS.all, { count: wishes.length, profile });
  const home = await checkHome(tx, faults, { plans, ...asked, ...template });
  const order = plans.map((plan, i) => ({ rail: plan?.subnet.rail, field: PATHS.at(i) }));
  const declared = order.map(({ rail }) => rail);
  const shape = home && profile && (await railShape(tx, ctx, { profile, home, declared }));
  const reasons = shape ? alignRails(faults, order, shape) : [];
  faults.throwIfAny();
  const attachments = plans.filter((plan) => plan !== undefined);
  if (!profile || !vpcId || !spec || attachments.length < plans.length) {
    throw bug("a fault was not recorded");
  }
  return { name, profile, vpcId, spec, home, attachments, reasons };
}

/** The instance before it was given a host. */
export function draft(
  given: Given,
  { name, profile, vpcId, spec, home }: InstancePlan,
  asked: Pick<CreateInstance, "zone" | "resourceGroupId"> & Pick<Instance, "account">,
): Instance {
  return {
    id: newId("instance", given),
    ...newborn(given, asked.account),
    name,
    profile: profile.name,
    vpcId,
    zone: asked.zone,
    resourceGroupId: asked.resourceGroupId,
    clusterNetworkId: home?.network.id,
    spec,
    status: "pending",
    statusReasons: [],
    healthState: "inapplicable",
    healthReasons: [],
    startable: false,
    bootCount: 0,
    placement: undefined,
    previousNodeId: undefined,
    observedDigest: undefined,
    queuedActions: [],
  };
}
