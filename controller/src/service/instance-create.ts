// Creates instances: everything is checked, then written and placed in one transaction.
import { bug } from "@railyard/lib/errors";
import { newId } from "@railyard/lib/ids";
import { Faults } from "../domain/faults.js";
import type { Instance, InstanceSpec } from "../domain/instance.js";
import type { InstanceProfile } from "../domain/profile.js";
import { newborn } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { accountOf } from "./find.js";
import { type InstanceView, instanceNameTaken, instanceView, tellInstance } from "./instance.js";
import {
  type AttachmentPlan,
  type AttachmentWish,
  alignRails,
  attachAll,
  checkCount,
  checkHome,
  type Home,
  planAttachments,
} from "./instance-attachments.js";
import { launch } from "./instance-start.js";
import { resolveTemplate, type TemplateWish } from "./instance-template.js";
import { remapEmptyNetwork } from "./mapping.js";
import { type Given, mutate } from "./mutate.js";
import { chooseName } from "./naming.js";
import type { TemplateCheck } from "./template-check.js";

export interface CreateInstance extends TemplateWish {
  readonly name: string;
  readonly resourceGroupId: string;
  /** In order of position. */
  readonly clusterNetworkAttachments: readonly AttachmentWish[];
}

/** An instance that can be written. */
interface InstancePlan {
  readonly name: string;
  readonly profile: InstanceProfile;
  readonly vpcId: string;
  readonly spec: InstanceSpec;
  readonly home: Home | undefined;
  readonly attachments: readonly AttachmentPlan[];
}

/**
 * Creates an instance and starts it. When nothing fits it answers with the instance, failed for
 * capacity. Errors: every bad field at once; quota; no address left.
 */
export function createInstance<A>(
  ctx: ServiceContext,
  call: Mutation<InstanceView, A>,
  input: CreateInstance,
): Promise<A> {
  const account = accountOf(call.principal);
  return mutate(ctx, call, async (tx, given) => {
    const mine = tx.account(account);
    const check = { tx, ctx, account, faults: new Faults(), rng: given.rng, wish: input };
    const plan = await planInstance(check, input);
    await mine.quotas.take("instances", 1);
    const { profile, home } = plan;
    const network =
      home && (await remapEmptyNetwork(tx, ctx, { network: home.network, wanted: profile, given }));
    const instance = draft(given, plan, { ...input, account });
    await mine.instances.insert(instance);
    const wanted = { instanceId: instance.id, account, plans: plan.attachments };
    const attachments = await attachAll(mine, given, wanted);
    const launched = await launch(tx, ctx, { given, instance, profile, network, attachments });
    tellInstance(given, launched);
    return instanceView(ctx, tx, launched);
  });
}

async function planInstance(check: TemplateCheck, input: CreateInstance): Promise<InstancePlan> {
  const { tx, account, faults, rng } = check;
  const mine = tx.account(account);
  const taken = instanceNameTaken(mine);
  const name = await chooseName(faults, { field: "name", name: input.name, rng, taken });
  const template = await resolveTemplate(check);
  const wishes = input.clusterNetworkAttachments;
  const plans = await planAttachments(mine, faults, { wishes, rng });
  const { profile, vpcId, spec } = template;
  if (profile) checkCount(faults, wishes.length, profile);
  const home = await checkHome(tx, faults, { account, plans, ...template });
  const shape = home && profile && { profile, network: home.profile };
  const aligned = shape ? alignRails(faults, plans, shape) : plans;
  faults.throwIfAny();
  const attachments = aligned.filter((plan) => plan !== undefined);
  if (!profile || !vpcId || !spec || attachments.length < plans.length) {
    throw bug("a fault was not recorded");
  }
  return { name, profile, vpcId, spec, home, attachments };
}

/** The instance before it was given a host. */
function draft(
  given: Given,
  { name, profile, vpcId, spec, home }: InstancePlan,
  asked: Pick<CreateInstance, "zone" | "resourceGroupId"> & Pick<Instance, "account">,
): Instance {
  return {
    ...newborn(given, asked.account),
    id: newId("instance", given.rng),
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
  };
}
