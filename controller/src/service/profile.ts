// Reads profiles: what kinds of cluster network and of instance are on offer. Profiles are few, so
// a page is cut from all of them.
import { notFound } from "@railyard/lib/errors";
import {
  type ClusterNetworkProfile,
  type InstanceProfile,
  type Offered,
  zonesOf,
} from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Page, ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import type { Listing } from "./listing.js";

export interface ClusterNetworkProfileView {
  readonly profile: Offered<ClusterNetworkProfile>;
  readonly zones: readonly string[];
}

export interface InstanceProfileView {
  readonly profile: Offered<InstanceProfile>;
  /** Names of the cluster network profiles that it may attach to. */
  readonly clusterNetworkProfiles: readonly string[];
}

export function getClusterNetworkProfile(
  ctx: ServiceContext,
  name: string,
): Promise<ClusterNetworkProfileView> {
  return ctx.store.read(async (tx) => {
    const profile = await tx.profiles.clusterNetwork(name);
    if (!profile) throw notFound(RESOURCE_TYPE.clusterNetworkProfile, name);
    return { profile, zones: zonesOf(profile, await tx.physicalClusters.all()) };
  });
}

/** Those offered in `zone`, or all; newest first, then by name. */
export function listClusterNetworkProfiles(
  ctx: ServiceContext,
  wish: Listing & { readonly zone?: string },
): Promise<Page<ClusterNetworkProfileView>> {
  return ctx.store.read(async (tx) => {
    const clusters = await tx.physicalClusters.all();
    const all = (await tx.profiles.clusterNetworks()).map((profile) => ({
      profile,
      zones: zonesOf(profile, clusters),
    }));
    const { zone } = wish;
    return cut(zone ? all.filter((view) => view.zones.includes(zone)) : all, wish);
  });
}

export function getInstanceProfile(
  ctx: ServiceContext,
  name: string,
): Promise<InstanceProfileView> {
  return ctx.store.read(async (tx) => {
    const profile = await tx.profiles.instance(name);
    if (!profile) throw notFound(RESOURCE_TYPE.instanceProfile, name);
    return instanceView(tx, profile);
  });
}

/**
 * Those that may attach to the named cluster network profile, or all; newest first, then by name.
 */
export function listInstanceProfiles(
  ctx: ServiceContext,
  wish: Listing & { readonly clusterNetworkProfile?: string },
): Promise<Page<InstanceProfileView>> {
  return ctx.store.read(async (tx) => {
    const views: InstanceProfileView[] = [];
    for (const profile of await tx.profiles.instances()) {
      const view = await instanceView(tx, profile);
      const wanted = wish.clusterNetworkProfile;
      if (!wanted || view.clusterNetworkProfiles.includes(wanted)) views.push(view);
    }
    return cut(views, wish);
  });
}

async function instanceView(
  tx: ReadTx,
  profile: Offered<InstanceProfile>,
): Promise<InstanceProfileView> {
  const networks = await tx.profiles.clusterNetworks();
  const supporting = networks.filter((n) => n.instanceProfiles.includes(profile.name));
  return { profile, clusterNetworkProfiles: supporting.map((n) => n.name).sort() };
}

type Key = Pick<Offered<InstanceProfile>, "createdAt" | "name">;

function cut<View extends { readonly profile: Key }>(
  views: readonly View[],
  { limit, after }: Listing,
): Page<View> {
  const sorted = [...views].sort((a, b) => (goesBefore(a.profile, b.profile) ? -1 : 1));
  const rest = after ? sorted.filter(({ profile }) => goesBefore(after, profile)) : sorted;
  return { rows: rest.slice(0, limit), total: views.length, more: rest.length > limit };
}

function goesBefore(a: Key, b: Key): boolean {
  return a.createdAt === b.createdAt ? a.name < b.name : a.createdAt > b.createdAt;
}
