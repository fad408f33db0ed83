// Checks an instance's ordered cluster network attachments before anything is written: which
// interface each is bound to, one network for all, the count, the rails; then writes them.
import { bug } from "@railyard/lib/errors";
import {
  type AccountId,
  type AttachmentId,
  type InstanceId,
  type InterfaceId,
  newId,
} from "@railyard/lib/ids";
import type { Rng } from "@railyard/lib/rng";
import { type Attachment, logicalPlaces, railMismatch, UNSEEN } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Faults } from "../domain/faults.js";
import type { Interface } from "../domain/interface.js";
import type { LifecycleReason } from "../domain/lifecycle.js";
import {
  type ClusterNetworkProfile,
  type InstanceProfile,
  permittedCounts,
} from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Subnet } from "../domain/subnet.js";
import type { AccountReads, AccountRows, ReadTx } from "../store/contract.js";
import { newborn, touched } from "./change.js";
import { makeInterfaces } from "./interface-life.js";
import { type InterfacePlan, InterfacePlanner, type InterfaceWish } from "./interface-plan.js";
import type { Given } from "./mutate.js";
import { chooseName } from "./naming.js";

const FIELD = "template.cluster_network_attachments";

export interface AttachmentWish {
  /** Empty: four random words. */
  readonly name: string;
  readonly bound:
    | { readonly kind: "interface"; readonly id: InterfaceId }
    | { readonly kind: "new"; readonly wish: InterfaceWish }
    | undefined;
}

/** One position that can be written. */
export interface AttachmentPlan {
  readonly name: string;
  readonly subnet: Subnet;
  readonly bound:
    | { readonly kind: "interface"; readonly row: Interface }
    | { readonly kind: "new"; readonly plan: InterfacePlan };
  /** What is worth saying about it although it was accepted. */
  readonly reasons: readonly LifecycleReason[];
}

/** A plan for each wish; undefined where it has a fault. */
export async function planAttachments(
  mine: AccountReads,
  faults: Faults,
  wanted: { readonly wishes: readonly AttachmentWish[]; readonly rng: Rng },
): Promise<readonly (AttachmentPlan | undefined)[]> {
  const { wishes, rng } = wanted;
  const planner = new InterfacePlanner({ mine, faults, rng });
  const names = new Set<string>();
  const seen = new Set<InterfaceId>();
  const plans: (AttachmentPlan | undefined)[] = [];
  for (const [i, wish] of wishes.entries()) {
    const path = `${FIELD}[${i}]`;
    const taken = (n: string) => Promise.resolve(names.size === names.add(n).size);
    const name = await chooseName(faults, { field: `${path}.name`, name: wish.name, rng, taken });
    const bound = await bind({ mine, faults, planner, seen, path }, wish);
    plans.push(bound && { name, ...bound, reasons: [] });
  }
  return plans;
}

interface Binding {
  readonly mine: AccountReads;
  readonly faults: Faults;
  readonly planner: InterfacePlanner;
  readonly seen: Set<InterfaceId>;
  readonly path: string;
}

async function bind(
  { mine, faults, planner, seen, path }: Binding,
  { bound }: AttachmentWish,
): Promise<Pick<AttachmentPlan, "subnet" | "bound"> | undefined> {
  if (!bound) {
    faults.invalid(path, "needs interface_id or new_interface");
    return undefined;
  }
  if (bound.kind === "new") {
    const plan = await planner.plan(bound.wish, `${path}.new_interface.`);
    return plan && { subnet: plan.subnet, bound: { kind: "new", plan } };
  }
  const { id } = bound;
  const field = `${path}.interface_id`;
  const row = await mine.interfaces.get(id);
  const subnet = row && (await mine.subnets.get(row.subnetId));
  if (!row || !subnet) {
    faults.missing(field, RESOURCE_TYPE.interface, id);
  } else if (row.targetId) {
    faults.add({
      code: "precondition",
      field,
      description: `${RESOURCE_TYPE.interface} ${id} is already attached`,
      reason: "INTERFACE_ALREADY_BOUND",
      holders: [{ type: RESOURCE_TYPE.attachment, id: row.targetId }],
    });
  } else if (seen.size === seen.add(id).size) {
    const description = `${RESOURCE_TYPE.interface} ${id} is named twice`;
    faults.invalid(field, description, "INTERFACE_ALREADY_BOUND");
  } else {
    return { subnet, bound: { kind: "interface", row } };
  }
  return undefined;
}

/** Adds a fault unless the count of attachments is none or one that the profile permits. */
export function checkCount(faults: Faults, count: number, profile: InstanceProfile): void {
  const permitted = permittedCounts(profile);
  if (count === 0 || permitted.includes(count)) return;
  faults.invalid(FIELD, countText(count, profile), "ATTACHMENT_COUNT_NOT_PERMITTED");
}

/** Says which counts a profile permits, for people. */
export function countText(count: number, profile: InstanceProfile): string {
  const permitted = [0, ...permittedCounts(profile)].join(", ");
  return `${profile.name} does not permit ${count} attachments; permitted: ${permitted}`;
}

/**
 * The one network of all attachments; faults where they, VPC, zone or profile do not agree. What
 * was not found is compared with nothing.
 */
export async function checkHome(
  tx: ReadTx,
  faults: Faults,
  wanted: {
    readonly account: AccountId;
    readonly plans: readonly (AttachmentPlan | undefined)[];
    readonly zone: string | undefined;
    readonly vpcId: string | undefined;
    readonly profile: InstanceProfile | undefined;
  },
): Promise<Home | undefined> {
  const { account, plans, zone, vpcId, profile } = wanted;
  const first = plans.findIndex((plan) => plan !== undefined);
  const id = plans[first]?.subnet.clusterNetworkId;
  const network = id && (await tx.account(account).clusterNetworks.get(id));
  if (!network) return undefined;
  for (const [i, plan] of plans.entries()) {
    if (!plan || plan.subnet.clusterNetworkId === id) continue;
    const description = `is in another cluster network than ${FIELD}[${first}]`;
    faults.invalid(`${FIELD}[${i}]`, description, "ATTACHMENT_CLUSTER_NETWORK_MISMATCH");
  }
  if (vpcId && network.vpcId !== vpcId) {
    const description = `cluster_network ${id} belongs to VPC ${network.vpcId}, not ${vpcId}`;
    faults.invalid(FIELD, description, "ATTACHMENT_VPC_MISMATCH");
  }
  if (zone && network.zone !== zone) {
    const description = `cluster_network ${id} is in zone ${network.zone}, not ${zone}`;
    faults.invalid(FIELD, description, "ATTACHMENT_ZONE_MISMATCH");
  }
  const networkProfile = await tx.profiles.clusterNetwork(network.profile);
  if (!networkProfile) throw bug("a cluster network without its profile");
  if (!profile) return undefined;
  if (!networkProfile.instanceProfiles.includes(profile.name)) {
    const description = `${profile.name} does not support cluster networks of ${network.profile}`;
    faults.invalid("template.profile", description, "ATTACHMENT_PROFILE_UNSUPPORTED");
    return undefined;
  }
  return { network, profile: networkProfile };
}

export interface Home {
  readonly network: ClusterNetwork;
  readonly profile: ClusterNetworkProfile;
}

/**
 * Compares each subnet's declared rail with the rail of its position, where that is fixed
 * beforehand. Required alignment: a fault for each mismatch. Preferred: a reason on the plan.
 */
export function alignRails(
  faults: Faults,
  plans: readonly (AttachmentPlan | undefined)[],
  shape: { readonly profile: InstanceProfile; readonly network: ClusterNetworkProfile },
): readonly (AttachmentPlan | undefined)[] {
  const { railAlignment } = shape.network;
  if (railAlignment === "none") return plans;
  const places = logicalPlaces({ ...shape, count: plans.length, placement: undefined });
  return plans.map((plan, i) => {
    const declared = plan?.subnet.rail;
    const actual = places[i]?.rail;
    if (!plan || declared === undefined || actual === undefined || declared === actual) return plan;
    const mismatch = railMismatch(declared, actual);
    if (railAlignment === "preferred") return { ...plan, reasons: [mismatch] };
    faults.invalid(`${FIELD}[${i}]`, mismatch.message, "RAIL_MISMATCH");
    return plan;
  });
}

/** Writes the attachments in order, making the interfaces that are new. */
export async function attachAll(
  mine: AccountRows,
  given: Given,
  wanted: {
    readonly instanceId: InstanceId;
    readonly account: AccountId;
    readonly plans: readonly AttachmentPlan[];
  },
): Promise<readonly Attachment[]> {
  const { instanceId, account, plans } = wanted;
  const ids = plans.map(() => newId("attachment", given.rng));
  const interfaces = await interfacesOf(mine, given, { plans, ids });
  const made: Attachment[] = [];
  for (const [position, plan] of plans.entries()) {
    const id = ids[position];
    const row = interfaces[position];
    if (!id || !row) throw bug("a planned attachment got no interface");
    const attachment: Attachment = {
      ...newborn(given, account),
      lifecycleReasons: plan.reasons,
      id,
      instanceId,
      clusterNetworkId: plan.subnet.clusterNetworkId,
      interfaceId: row.id,
      name: plan.name,
      position,
      ...UNSEEN,
    };
    await mine.attachments.insert(attachment);
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
