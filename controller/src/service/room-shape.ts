// What room is asked for: so many instances of one profile in one cluster network, checked against
// the account's network and the profiles, and put as a question to placement.
import type { ClusterNetworkId, InstanceId } from "@railyard/lib/ids";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Faults } from "../domain/faults.js";
import { MEMBERS_MAX, membersOf } from "../domain/hold.js";
import { type InstanceProfile, usualCount } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { GangRequest } from "../placement/gang.js";
import type { Newcomer } from "./desired.js";
import { checkCount, homeOf } from "./instance-attachments.js";
import { requestOf } from "./placing.js";
import { usableRails } from "./rail-set.js";
import type { TenantReads } from "./tenant.js";

/** How close together members must be. */
export interface Closeness {
  /** 0 for any. */
  readonly maxLeafGroups: number;
  /** 0 for none. */
  readonly segmentSize: number;
}

export interface RoomShape extends Closeness {
  readonly clusterNetworkId: ClusterNetworkId;
  /** Name of the instance profile. */
  readonly profile: string;
  readonly count: number;
  /** Of each instance; 0 for the profile's usual count. */
  readonly attachmentCount: number;
  readonly spares: number;
}

/** A shape whose network and profile were found. */
export interface ResolvedShape extends Omit<RoomShape, "clusterNetworkId" | "profile"> {
  readonly network: ClusterNetwork;
  readonly profile: InstanceProfile;
}

/**
 * Adds a fault unless the number is from `least` to MEMBERS_MAX; answers with the nearest one that
 * is. Requests that are malformed come this far, to learn what else is wrong with them.
 */
export function checkMembers(
  faults: Faults,
  field: string,
  { wanted, least }: { readonly wanted: number; readonly least: number },
): number {
  const allowed = Math.max(least, Math.min(wanted, MEMBERS_MAX));
  if (allowed !== wanted) faults.invalid(field, `must be ${least} to ${MEMBERS_MAX}`);
  return allowed;
}

/** The shape with what it names; undefined only where a fault was added. */
export async function resolveShape(
  tx: TenantReads,
  faults: Faults,
  { clusterNetworkId, profile: name, ...shape }: RoomShape,
): Promise<ResolvedShape | undefined> {
  checkMembers(faults, "shape.count", { wanted: shape.count, least: 1 });
  checkMembers(faults, "shape.spares", { wanted: shape.spares, least: 0 });
  const network = await tx.mine.clusterNetworks.get(clusterNetworkId);
  if (!network) {
    faults.missing("shape.cluster_network_id", RESOURCE_TYPE.clusterNetwork, clusterNetworkId);
  }
  const field = "shape.instance_profile";
  const profile = await tx.profiles.instance(name);
  if (!profile) faults.missing(field, RESOURCE_TYPE.instanceProfile, name);
  if (!network || !profile) return undefined;
  if (!(await homeOf(tx, faults, { network, profile, field }))) return undefined;
  const attachmentCount = shape.attachmentCount || usualCount(profile);
  checkCount(faults, "shape.attachment_count", { count: attachmentCount, profile });
  return { ...shape, network, profile, attachmentCount };
}

/**
 * The question whether there is room for the whole shape, on rails that its instances could use;
 * `id` and `seed` choose among equals.
 */
export async function gangOf(
  tx: TenantReads,
  shape: ResolvedShape,
  { id, seed }: { readonly id: InstanceId; readonly seed: string },
): Promise<GangRequest> {
  const { network, profile, attachmentCount: length } = shape;
  const instance = { id, zone: network.zone, previousNodeId: undefined };
  const wish = { instance, profile, network, attachments: { length }, seed };
  const member = { ...(await requestOf(tx, wish, [])), usable: await usableRails(tx, wish) };
  return { member, count: membersOf(shape), ...limitsOf(shape) };
}

/** What each member brings, as far as it is known before there are instances. */
export function eachOf({ profile, attachmentCount }: ResolvedShape): Newcomer {
  return { instance: undefined, gpuCount: profile.gpu?.count ?? 0, attachmentCount };
}

/** Closeness as placement takes it. */
export function limitsOf({ maxLeafGroups, segmentSize }: Closeness) {
  const given = (number: number) => (number > 0 ? number : undefined);
  return { maxLeafGroups: given(maxLeafGroups), segmentSize: given(segmentSize) };
}
