// Creates many instances of one template, all or none: one transaction checks everything, finds
// room for all, writes and starts them. With a hold they take the room that it has.
import { bug } from "@railyard/lib/errors";
import type { HoldId } from "@railyard/lib/ids";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { Faults } from "../domain/faults.js";
import type { Hold } from "../domain/hold.js";
import { type Instance, type InstancePlacement, toStarting } from "../domain/instance.js";
import { checkName } from "../domain/names.js";
import { takesWholeNode } from "../domain/profile.js";
import type { GangRequest } from "../placement/gang.js";
import { touched } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { raiseFabricOf } from "./fabric.js";
import { accountOf } from "./find.js";
import { claimGang, type Seats } from "./gang.js";
import { endHold, releaseRooms, roomsOf } from "./hold-rooms.js";
import { heldSeats, holdToUse, refuseMismatch } from "./hold-use.js";
import {
  endView,
  type InstanceView,
  instanceNameTaken,
  instanceView,
  tellInstance,
} from "./instance.js";
import type { AttachmentWish } from "./instance-attachments.js";
import {
  type CreateInstance,
  draft,
  type InstancePlan,
  planInstance,
  writeAttached,
} from "./instance-create.js";
import type { Launch } from "./instance-start.js";
import { remapEmptyNetwork } from "./mapping.js";
import type { MutationGiven } from "./mutate.js";
import { claimOf, requestOf } from "./placing.js";
import { type Declared, keepRails, noteRails } from "./rail-set.js";
import { checkMembers, limitsOf } from "./room-shape.js";
import { refuseCapacity, shortageOf } from "./shortage.js";
import type { TemplateCheck } from "./template-check.js";
import { mutateMine, type TenantTx } from "./tenant.js";

export interface BatchCreate extends Omit<CreateInstance, "name"> {
  readonly count: number;
  /** Empty: four random words for each. */
  readonly namePrefix: string;
  /** The hold to use up, if any. */
  readonly holdId: HoldId | undefined;
  /** 0 for any, or what the hold says. */
  readonly maxLeafGroups: number;
  /** 0 for none, or what the hold says. */
  readonly segmentSize: number;
}

/**
 * Creates and starts all of them, in order. Errors: every bad field at once; HOLD_EXPIRED,
 * HOLD_CONSUMED, HOLD_MISMATCH; quota; no address left; `exhausted` CAPACITY, which leaves the hold
 * as it was; `unavailable` LOST_RACE.
 */
export function batchCreate<A>(
  ctx: ServiceContext,
  call: Mutation<readonly InstanceView[], A>,
  input: BatchCreate,
): Promise<A> {
  const account = accountOf(call.principal);
  return mutateMine(ctx, call, async (tx, given) => {
    const faults = new Faults();
    const { at, rng } = given;
    const check = { tx, ctx, account, faults, at, rng, wish: input };
    const names = await namesOf(tx, faults, input);
    refuseShared(faults, input.clusterNetworkAttachments);
    refuseVolumes(faults, input);
    const { holdId: id } = input;
    const hold = id && (await holdToUse(tx, faults, { id, at: given.at }));
    const plan = await planInstance(check, { ...input, name: "" });
    if (hold) refuseMismatch(hold, { ...input, plan });
    await tx.mine.quotas.take("instances", input.count);
    const { home, profile: wanted } = plan;
    const network =
      home && (await remapEmptyNetwork(tx, ctx, { network: home.network, wanted, given }));
    const batch: Batch = { check, given, input, names, plan, network, hold: hold || undefined };
    const made = await create(ctx, batch);
    const views: InstanceView[] = [];
    for (const instance of made) {
      tellInstance(given, instance);
      views.push(endView(await instanceView(ctx, tx, instance)));
    }
    return views;
  });
}

/** `<prefix>-1` and so on; empty without a prefix. Adds a fault for what is malformed or taken. */
async function namesOf(
  { mine }: TenantTx,
  faults: Faults,
  { namePrefix, count: wanted }: BatchCreate,
): Promise<readonly string[]> {
  const count = checkMembers(faults, "count", { wanted, least: 1 });
  if (namePrefix === "") return [];
  const names = Array.from({ length: count }, (_, i) => `${namePrefix}-${i + 1}`);
  const field = "name_prefix";
  if (!checkName(faults, field, names.at(-1) ?? "")) return [];
  const isTaken = instanceNameTaken(mine);
  const taken: string[] = [];
  for (const name of names) if (await isTaken(name)) taken.push(name);
  if (taken.length > 0) {
    const description = `these names are taken: ${taken.join(", ")}`;
    faults.add({ code: "exists", field, description, reason: "NAME_TAKEN" });
  }
  return names;
}

/** What only one of the instances could have has no place in a template of many. */
function refuseShared(faults: Faults, wishes: readonly AttachmentWish[]): void {
  const text = "has no place in a batch: every instance would have the same";
  for (const [i, { bound }] of wishes.entries()) {
    const path = `template.cluster_network_attachments[${i}]`;
    if (bound?.kind === "interface") faults.invalid(`${path}.interface_id`, text);
    if (bound?.kind !== "new") continue;
    const { name, primaryIp: ip } = bound.wish;
    const at = `${path}.new_interface`;
    if (name !== "") faults.invalid(`${at}.name`, text);
    if (ip.kind === "existing") {
      faults.invalid(`${at}.primary_ip.reserved_ip_id`, text);
      continue;
    }
    if (ip.address !== "") faults.invalid(`${at}.primary_ip.reserved_ip.address`, text);
    if (ip.name !== "") faults.invalid(`${at}.primary_ip.reserved_ip.name`, text);
  }
}

function refuseVolumes(faults: Faults, { bootVolumeId, volumeIds }: BatchCreate): void {
  const text = "has no place in a batch: a volume has one user";
  if (bootVolumeId !== "") faults.invalid("template.boot_volume_id", text);
  if (volumeIds.length > 0) faults.invalid("template.volume_ids", text);
}

interface Batch {
  readonly check: TemplateCheck;
  readonly given: MutationGiven;
  readonly input: BatchCreate;
  /** Empty: random ones. */
  readonly names: readonly string[];
  /** Of the first member; the others' differ in names and addresses only. */
  readonly plan: InstancePlan;
  readonly network: ClusterNetwork | undefined;
  readonly hold: Hold | undefined;
}

/** Seats, writes and starts all members; throws when there is no room for all. */
async function create(ctx: ServiceContext, batch: Batch): Promise<readonly Instance[]> {
  const { check, given, hold, plan, network } = batch;
  const { tx } = check;
  const first = draftOf(batch, 0, plan);
  const declared = declaredBy(plan);
  const gang = await gangOf(batch, first, declared);
  const rooms = hold ? await roomsOf(tx, ctx, hold) : [];
  if (hold) await releaseRooms(tx, hold);
  let members: readonly Launch[] = [];
  const gpuCount = plan.profile.gpu?.count ?? 0;
  const seating = await claimGang(tx, ctx, {
    gang,
    each: { instance: first, gpuCount, attachmentCount: plan.attachments.length },
    ...(hold && { preferred: (request) => heldSeats(tx, ctx, { rooms, gang, request }) }),
    seated: async () => {
      members = await writeAll(batch, first);
    },
    claimFor: async (member, seat, node) => {
      const launch = members[member];
      if (!launch) throw bug("a seat for nobody");
      return claimOf({ ...launch, seed: gang.member.seed }, { plan: seat, node });
    },
  });
  if (!seating.fits) {
    const refused = { profile: plan.profile, network, refusal: seating };
    throw refuseCapacity(await shortageOf(tx, ctx, refused), refused);
  }
  const started = await startAll(tx, given, { members, seats: seating.seats });
  await refuseFull(ctx, tx, started);
  for (const { launch, placement } of started) {
    await keepRails(tx, launch, placement);
    if (declared) await noteRails(tx, given, { wish: launch, declared, placement });
  }
  if (hold) {
    await endHold(tx, hold, { how: "consumed", at: given.at });
    given.tell({ holdId: hold.id, networkId: hold.clusterNetworkId }, "hold used up");
  }
  return started.map(({ instance }) => instance);
}

/** The rails that subnets declare, where members take a part of a node. */
function declaredBy({ profile, home, attachments }: InstancePlan): Declared | undefined {
  const offered = home?.profile;
  if (!offered || offered.railAlignment === "none" || attachments.length === 0) return undefined;
  if (takesWholeNode(profile, offered)) return undefined;
  return { rails: attachments.map(({ subnet }) => subnet.rail), network: offered };
}

async function gangOf(
  { check: { tx }, input, plan, network, hold }: Batch,
  instance: Instance,
  declared: Declared | undefined,
): Promise<GangRequest> {
  const { profile, attachments } = plan;
  const pinned = declared?.network.railAlignment === "required" ? declared.rails : [];
  const wish = { instance, profile, network, attachments, pinned, seed: instance.id };
  const closeness = hold ?? input;
  return { member: await requestOf(tx, wish, []), count: input.count, ...limitsOf(closeness) };
}

function draftOf({ check, given, input, names }: Batch, member: number, plan: InstancePlan) {
  const { account } = check;
  const name = names[member] ?? plan.name;
  return draft(given, { ...plan, name }, { ...input, account });
}

/** Writes all instances with their attachments, as yet without a host. */
async function writeAll(batch: Batch, first: Instance): Promise<readonly Launch[]> {
  const { check, given, input, network } = batch;
  const { mine } = check.tx;
  const launches: Launch[] = [];
  for (let member = 0; member < input.count; member++) {
    // What is drawn for one must be written before the next draws.
    const plan = member === 0 ? batch.plan : await planInstance(check, { ...input, name: "" });
    const instance = member === 0 ? first : draftOf(batch, member, plan);
    const attachments = await writeAttached(mine, given, { instance, plan });
    launches.push({ given, instance, profile: plan.profile, network, attachments });
  }
  return launches;
}

interface Started {
  readonly launch: Launch;
  readonly instance: Instance;
  readonly placement: InstancePlacement;
}

/** Writes every member as starting in its seat, which is claimed. */
async function startAll(
  tx: TenantTx,
  given: MutationGiven,
  { members, seats }: { readonly members: readonly Launch[]; readonly seats: Seats },
): Promise<readonly Started[]> {
  const started: Started[] = [];
  for (const [member, launch] of members.entries()) {
    const seat = seats[member];
    if (!seat) throw bug("a member without a seat");
    const { nodeId, pairs } = seat.plan;
    const sinceGeneration = await tx.outbox.raise(nodeId);
    if (launch.network) await raiseFabricOf(tx, launch.network.physicalClusterId);
    const placement = { nodeId, pairs, phase: "present", sinceGeneration } as const;
    const instance = touched(toStarting(launch.instance, placement), given.rng);
    await tx.mine.instances.update(instance);
    started.push({ launch, instance, placement });
  }
  return started;
}

/** Placement knew how much room there was: a node that has grown too large is a bug. */
async function refuseFull(
  ctx: ServiceContext,
  tx: TenantTx,
  started: readonly Started[],
): Promise<void> {
  for (const nodeId of new Set(started.map(({ placement }) => placement.nodeId))) {
    if (!(await tx.fitsMessage(ctx, nodeId))) throw bug(`too much is placed on node ${nodeId}`);
  }
}
