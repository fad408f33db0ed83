// Maps a cluster network to one physical cluster, in secret: at its creation, and again while it
// is empty, when its cluster has no hardware for what the tenant wants to start.
import { refuse } from "@railyard/lib/errors";
import type { ClusterNetworkId, PhysicalClusterId } from "@railyard/lib/ids";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { PhysicalCluster } from "../domain/physical-cluster.js";
import {
  type ClusterNetworkProfile,
  hardwareFits,
  type InstanceProfile,
} from "../domain/profile.js";
import type { ServiceContext } from "./context.js";
import { fleetOf, freeWholeNodes } from "./fleet.js";
import { fleetViewOf } from "./fleet-view.js";
import type { Given } from "./mutate.js";
import { hasAny } from "./naming.js";
import type { FleetReads, FleetTx, TenantReads, TenantTx } from "./tenant.js";

type Mapping = Pick<ClusterNetwork, "physicalClusterId" | "isolation">;

interface MappingWish {
  readonly network: ClusterNetworkId;
  readonly profile: ClusterNetworkProfile;
  readonly zone: string;
}

/**
 * Takes an isolation id on the compatible cluster with most free whole nodes, then by name.
 * Throws `precondition` CLUSTER_NETWORK_PROFILE_UNAVAILABLE when there is none.
 */
export async function mapNetwork(
  tx: FleetTx,
  ctx: ServiceContext,
  wish: MappingWish,
): Promise<Mapping> {
  const [best] = await candidates(tx, ctx, wish);
  const mapping = best && (await take(tx, best, wish.network));
  if (mapping) return mapping;
  const text = `no place for cluster network profile ${wish.profile.name} is free in ${wish.zone}`;
  throw refuse("precondition", text, { reason: "CLUSTER_NETWORK_PROFILE_UNAVAILABLE" });
}

/**
 * The network, moved to a cluster that has hardware for `wanted` when its own has none and neither
 * instance nor living hold is in it; otherwise as it was. The old isolation id goes through
 * quarantine.
 */
export async function remapEmptyNetwork(
  tx: TenantTx,
  ctx: ServiceContext,
  move: {
    readonly network: ClusterNetwork;
    readonly wanted: InstanceProfile;
    readonly given: Given;
  },
): Promise<ClusterNetwork> {
  const { network, wanted, given } = move;
  for (const cluster of await betterClusters(tx, ctx, { network, wanted, at: given.at })) {
    const mapping = await take(tx, cluster, network.id);
    if (!mapping) continue;
    const until = given.at + ctx.settings.quarantineMs;
    await tx.isolation.rest(network.physicalClusterId, network.isolation.id, until);
    const moved = { ...network, ...mapping };
    await tx.mine.clusterNetworks.update(moved);
    return moved;
  }
  return network;
}

/** The network as `remapEmptyNetwork` would leave it, but for its isolation; writes nothing. */
export async function whereTo(
  tx: TenantReads,
  ctx: ServiceContext,
  move: Move,
): Promise<ClusterNetwork> {
  const [best] = await betterClusters(tx, ctx, move);
  return best ? { ...move.network, physicalClusterId: best.id } : move.network;
}

interface Move {
  readonly network: ClusterNetwork;
  readonly wanted: InstanceProfile;
  /** Wall time, milliseconds. */
  readonly at: number;
}

/** Clusters with hardware for `wanted`, the best first; none unless the network must move. */
async function betterClusters(
  tx: TenantReads,
  ctx: ServiceContext,
  { network, wanted, at }: Move,
): Promise<readonly PhysicalCluster[]> {
  const { id, zone, physicalClusterId } = network;
  if (await hasHardware(tx, ctx, { zone, cluster: physicalClusterId, wanted })) return [];
  const { instances, holds } = tx.mine;
  if (await hasAny(instances, { clusterNetworkId: id })) return [];
  if ((await holds.inNetwork(id, at)).length > 0) return [];
  const profile = await tx.profiles.clusterNetwork(network.profile);
  const better: PhysicalCluster[] = [];
  for (const cluster of profile ? await candidates(tx, ctx, { network: id, profile, zone }) : []) {
    if (await hasHardware(tx, ctx, { zone, cluster: cluster.id, wanted })) better.push(cluster);
  }
  return better;
}

async function candidates(
  tx: FleetReads,
  ctx: ServiceContext,
  { profile, zone }: MappingWish,
): Promise<readonly PhysicalCluster[]> {
  const fleet = await fleetOf(tx, ctx);
  const ranked: { readonly cluster: PhysicalCluster; readonly free: number }[] = [];
  for (const cluster of await tx.physicalClusters.all()) {
    const compatible =
      cluster.enabled && cluster.zone === zone && profile.clusterTypes.includes(cluster.type);
    if (!compatible || (await tx.isolation.free(cluster.id)) === 0) continue;
    ranked.push({ cluster, free: freeWholeNodes(fleet, cluster.id) });
  }
  ranked.sort((a, b) => b.free - a.free || (a.cluster.name < b.cluster.name ? -1 : 1));
  return ranked.map(({ cluster }) => cluster);
}

async function take(
  tx: FleetTx,
  cluster: PhysicalCluster,
  network: ClusterNetworkId,
): Promise<Mapping | undefined> {
  const id = await tx.isolation.take(cluster.id, network);
  if (id === undefined) return undefined;
  return { physicalClusterId: cluster.id, isolation: { kind: cluster.isolation.kind, id } };
}

/**
 * Whether any server of the zone, or of one cluster in it, could ever hold an instance of the
 * profile, whatever is taken or down now.
 */
export function hasHardware(
  tx: FleetReads,
  ctx: ServiceContext,
  { wanted, ...where }: HardwareWish,
): Promise<boolean> {
  return fleetViewOf(ctx).hasHardware(tx, where, (kind) => hardwareFits(kind, wanted));
}

interface HardwareWish {
  readonly zone: string;
  readonly cluster: PhysicalClusterId | undefined;
  readonly wanted: InstanceProfile;
}
