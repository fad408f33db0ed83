// Checks cluster network attachments that an instance is to get, before anything is written: which
// interface each is bound to, one network for all, the count, the rails.
import { bug } from "@railyard/lib/errors";
import type { ClusterNetworkId, InterfaceId } from "@railyard/lib/ids";
import type { Rng } from "@railyard/lib/rng";
import { type RailShape, railMismatches } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Faults } from "../domain/faults.js";
import type { Interface } from "../domain/interface.js";
import type { LifecycleReason } from "../domain/lifecycle.js";
import {
  type ClusterNetworkProfile,
  type InstanceProfile,
  largestCount,
  permittedCounts,
} from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Subnet } from "../domain/subnet.js";
import type { AccountReads } from "../store/contract.js";
import { type InterfacePlan, InterfacePlanner, type InterfaceWish } from "./interface-plan.js";
import { checkNewName, fillNames } from "./naming.js";
import type { TenantReads } from "./tenant.js";

/** Where a request names what is wrong with the attachments that it asks for. */
export interface AttachmentPaths {
  /** All of them together. */
  readonly all: string;
  at(index: number): string;
  /** What decides the instance's profile. */
  readonly profile: string;
}

/** Paths of attachments in the list `all`. */
export function listPaths(all: string, profile: string): AttachmentPaths {
  return { all, at: (index) => `${all}[${index}]`, profile };
}

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
}

/** A plan for each wish; undefined where it has a fault. */
export async function planAttachments(
  mine: AccountReads,
  faults: Faults,
  wanted: {
    readonly wishes: readonly AttachmentWish[];
    readonly rng: Rng;
    readonly paths: AttachmentPaths;
    /** Names that the instance's attachments already have. */
    readonly taken: readonly string[];
  },
): Promise<readonly (AttachmentPlan | undefined)[]> {
  const { wishes, rng, paths } = wanted;
  const planner = new InterfacePlanner({ mine, faults });
  const names = new Set(wanted.taken);
  const seen = new Set<InterfaceId>();
  const plans: (AttachmentPlan | undefined)[] = [];
  for (const [i, wish] of wishes.entries()) {
    const path = paths.at(i);
    const { name } = wish;
    if (name !== "") {
      const taken = (n: string) => Promise.resolve(names.size === names.add(n).size);
      await checkNewName(faults, { field: `${path}.name`, name, taken });
    }
    const bound = await bind({ mine, faults, planner, seen, path }, wish);
    plans.push(bound && { name, ...bound });
  }
  const all = fillNames(
    wishes.map(({ name }) => name),
    { rng, others: names },
  );
  return plans.map((plan, i) => plan && { ...plan, name: all[i] ?? plan.name });
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
    return undefined;
  }
  if (row.targetId) {
    faults.add({
      code: "precondition",
      field,
      description: `${RESOURCE_TYPE.interface} ${id} is already attached`,
      reason: "INTERFACE_ALREADY_BOUND",
      resource: { type: RESOURCE_TYPE.interface, id },
      holders: [{ type: RESOURCE_TYPE.attachment, id: row.targetId }],
    });
  } else if (seen.size === seen.add(id).size) {
    const description = `${RESOURCE_TYPE.interface} ${id} is named twice`;
    faults.invalid(field, description, "INTERFACE_ALREADY_BOUND");
  }
  // One that may not be had is held to the rest all the same.
  return { subnet, bound: { kind: "interface", row } };
}

/** Adds a fault unless the count of attachments is none or one that the profile permits. */
export function checkCount(
  faults: Faults,
  field: string,
  wanted: { readonly count: number; readonly profile: InstanceProfile },
): void {
  const { count, profile } = wanted;
  if (count === 0 || permittedCounts(profile).includes(count)) return;
  faults.invalid(field, countText(count, profile), "ATTACHMENT_COUNT_NOT_PERMITTED");
}

/** Adds a fault when there are more attachments than the profile permits at most. */
export function checkRoom(
  faults: Faults,
  field: string,
  wanted: { readonly count: number; readonly profile: InstanceProfile },
): void {
  const { count, profile } = wanted;
  const most = largestCount(profile);
  if (count <= most) return;
  const description = `${profile.name} permits at most ${most} attachments, not ${count}`;
  const reason = "ATTACHMENT_COUNT_NOT_PERMITTED";
  faults.add({ code: "precondition", field, description, reason });
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
  tx: TenantReads,
  faults: Faults,
  wanted: {
    readonly plans: readonly (AttachmentPlan | undefined)[];
    readonly paths: AttachmentPaths;
    /** The network that the instance is in already. */
    readonly resident: ClusterNetworkId | undefined;
    readonly zone: string | undefined;
    readonly vpcId: string | undefined;
    readonly profile: InstanceProfile | undefined;
  },
): Promise<Home | undefined> {
  const { plans, paths, resident, zone, vpcId, profile } = wanted;
  const first = plans.find((plan) => plan !== undefined)?.subnet.clusterNetworkId;
  const id = resident ?? first;
  const network = id && (await tx.mine.clusterNetworks.get(id));
  if (!network) return undefined;
  for (const [i, plan] of plans.entries()) {
    if (!plan || plan.subnet.clusterNetworkId === id) continue;
    const description = `is in another cluster network than ${id}, which the others are in`;
    faults.invalid(paths.at(i), description, "ATTACHMENT_CLUSTER_NETWORK_MISMATCH");
  }
  if (vpcId && network.vpcId !== vpcId) {
    const description = `cluster_network ${id} belongs to VPC ${network.vpcId}, not ${vpcId}`;
    faults.invalid(paths.all, description, "ATTACHMENT_VPC_MISMATCH");
  }
  if (zone && network.zone !== zone) {
    const description = `cluster_network ${id} is in zone ${network.zone}, not ${zone}`;
    faults.invalid(paths.all, description, "ATTACHMENT_ZONE_MISMATCH");
  }
  return profile && homeOf(tx, faults, { network, profile, field: paths.profile });
}

/** The network with its profile; a fault when the instance profile cannot attach to it. */
export async function homeOf(
  tx: TenantReads,
  faults: Faults,
  wanted: {
    readonly network: ClusterNetwork;
    readonly profile: InstanceProfile;
    readonly field: string;
  },
): Promise<Home | undefined> {
  const { network, profile, field } = wanted;
  const networkProfile = await tx.profiles.clusterNetwork(network.profile);
  if (!networkProfile) throw bug("a cluster network without its profile");
  if (networkProfile.instanceProfiles.includes(profile.name)) {
    return { network, profile: networkProfile };
  }
  const description = `${profile.name} does not support cluster networks of ${network.profile}`;
  faults.invalid(field, description, "ATTACHMENT_PROFILE_UNSUPPORTED");
  return undefined;
}

export interface Home {
  readonly network: ClusterNetwork;
  readonly profile: ClusterNetworkProfile;
}

/**
 * Compares the rails that subnets declare with the rails of their positions, where those are fixed
 * beforehand. Required alignment: a fault for each mismatch. Answers with what is worth saying of
 * each position where alignment is only preferred.
 */
export function alignRails(
  faults: Faults,
  order: readonly { readonly rail: number | undefined; readonly field: string }[],
  shape: RailShape,
): readonly (readonly LifecycleReason[])[] {
  const declared = order.map(({ rail }) => rail);
  return railMismatches(declared, shape).map((mismatch, position) => {
    if (!mismatch) return [];
    if (shape.network.railAlignment === "preferred") return [mismatch];
    const description = `position ${position}: ${mismatch.message}`;
    faults.invalid(order[position]?.field ?? "", description, "RAIL_MISMATCH");
    return [];
  });
}
