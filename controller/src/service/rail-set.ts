// The rail rule for instances that take a part of a node: the first of a cluster network and
// profile fixes the ordered rails of all that follow, until the last one is gone. For those that
// take a whole node the rails follow from the profile.
import { refuse } from "@railyard/lib/errors";
import { landings, nearestRails, type RailShape, railMismatches } from "../domain/attachment.js";
import { maskOf } from "../domain/bundle.js";
import type { InstancePlacement } from "../domain/instance.js";
import {
  type ClusterNetworkProfile,
  type InstanceProfile,
  takesWholeNode,
} from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { touched } from "./change.js";
import type { ServiceContext } from "./context.js";
import { fleetViewOf } from "./fleet-view.js";
import type { Home } from "./instance-attachments.js";
import type { Given } from "./mutate.js";
import type { PlaceWish, RoomWish } from "./placing.js";
import type { FleetReads, FleetTx, TenantReads, TenantTx } from "./tenant.js";

type Wish = Pick<PlaceWish, "instance" | "profile" | "network" | "attachments">;

/**
 * What decides the rails of an instance to come: the ones that others have fixed, or where rails
 * are required, those of the machines that agree best with what subnets declare, by position.
 */
export async function railShape(
  tx: FleetReads,
  ctx: ServiceContext,
  of: {
    readonly profile: InstanceProfile;
    readonly home: Home;
    readonly declared: readonly (number | undefined)[];
  },
): Promise<RailShape> {
  const { profile, home, declared } = of;
  const { network } = home;
  const rails = await tx.railSets.of(network.id, profile.name);
  const shape = { profile, network: home.profile, rails };
  const free = !rails && profile.gpu && !takesWholeNode(profile, home.profile);
  if (!free || home.profile.railAlignment !== "required") return shape;
  if (declared.every((rail) => rail === undefined)) return shape;
  const where = { zone: network.zone, cluster: network.physicalClusterId };
  const sets = await fleetViewOf(ctx).railsOfSets(tx, where, profile.gpu);
  return { ...shape, rails: nearestRails(declared, { ...shape, sets }) };
}

/** The set of rails that the instance must be on, bit r for rail r; undefined: any. */
export async function railsFor(
  tx: FleetReads,
  wish: Pick<RoomWish, "profile" | "network" | "attachments">,
): Promise<number | undefined> {
  const { profile, network, attachments } = wish;
  const offered = network && (await tx.profiles.clusterNetwork(network.profile));
  if (!network || !offered || attachments.length === 0) return undefined;
  if (takesWholeNode(profile, offered)) return 2 ** offered.rails - 1;
  const fixed = await tx.railSets.of(network.id, profile.name);
  return fixed && maskOf(fixed);
}

/**
 * The rails that attachments of an instance to come can be on where rails are required and every
 * subnet declares one: those that are declared, bit r for rail r. Undefined: any, as for instances
 * that take a whole node, whose rails nobody chooses.
 */
export async function usableRails(
  tx: TenantReads,
  wish: Pick<RoomWish, "profile" | "network" | "attachments">,
): Promise<number | undefined> {
  const { profile, network, attachments } = wish;
  const offered = network && (await tx.profiles.clusterNetwork(network.profile));
  if (offered?.railAlignment !== "required" || attachments.length === 0) return undefined;
  if (!network || takesWholeNode(profile, offered)) return undefined;
  const subnets = await tx.mine.subnets.ofNetwork(network.id);
  const declared = new Set(subnets.map(({ rail }) => rail));
  const rails = [...declared].filter((rail) => rail !== undefined);
  return rails.length === 0 || declared.has(undefined) ? undefined : maskOf(rails);
}

/** The pairs that must be on a certain rail, each once, in pair order. */
export function pinsOf(
  wish: Pick<PlaceWish, "profile" | "pinned">,
): readonly { readonly pair: number; readonly rail: number }[] {
  const { profile, pinned = [] } = wish;
  const lands = landings({
    count: pinned.length,
    pairs: profile.gpu?.count ?? 0,
    nicSpeedGbps: 0,
    layout: profile.attachmentLayout,
  });
  const rails = lands.flatMap(({ pair, position }) => {
    const rail = pinned[position];
    return rail === undefined ? [] : [{ pair, rail }];
  });
  return rails.filter(({ pair, rail }, i) => {
    return rails.findIndex((other) => other.pair === pair && other.rail === rail) === i;
  });
}

/** By position, the rails that subnets declare for an instance that takes a part of a node. */
export async function declaredRails(tx: TenantReads, wish: Wish): Promise<Declared | undefined> {
  const { profile, network, attachments } = wish;
  const offered = network && (await tx.profiles.clusterNetwork(network.profile));
  if (!offered || offered.railAlignment === "none" || attachments.length === 0) return undefined;
  if (takesWholeNode(profile, offered)) return undefined;
  const rails: (number | undefined)[] = [];
  for (const { interfaceId } of attachments) {
    const bound = await tx.mine.interfaces.get(interfaceId);
    rails.push(bound && (await tx.mine.subnets.get(bound.subnetId))?.rail);
  }
  return { rails, network: offered };
}

/**
 * Throws `precondition` RAIL_MISMATCH, naming each, where rails are required and what subnets
 * declare is not where others have fixed the rails since, or fits no machine.
 */
export async function refuseRails(tx: TenantReads, ctx: ServiceContext, wish: Wish): Promise<void> {
  const { profile, network, instance } = wish;
  const declared = await declaredRails(tx, wish);
  if (!network || declared?.network.railAlignment !== "required") return;
  const home = { network, profile: declared.network };
  const shape = await railShape(tx, ctx, { profile, home, declared: declared.rails });
  const wrong = railMismatches(declared.rails, shape).flatMap((reason, position) =>
    reason ? [`position ${position}: ${reason.message}`] : [],
  );
  if (wrong.length === 0) return;
  throw refuse("precondition", wrong.join("; "), {
    reason: "RAIL_MISMATCH",
    resource: { type: RESOURCE_TYPE.instance, id: instance.id },
  });
}

export interface Declared {
  readonly rails: readonly (number | undefined)[];
  readonly network: ClusterNetworkProfile;
}

/** Says of each attachment whether the rail that it was placed on is the declared one. */
export async function noteRails(
  tx: TenantTx,
  given: Given,
  placed: {
    readonly wish: Wish;
    readonly declared: Declared;
    readonly placement: InstancePlacement;
  },
): Promise<void> {
  const { wish, declared, placement } = placed;
  const { profile, attachments } = wish;
  const rails = placement.pairs.map(({ rail }) => rail);
  const shape = { profile, network: declared.network, rails };
  const said = railMismatches(declared.rails, shape);
  for (const [position, row] of attachments.entries()) {
    const reason = said[position];
    const lifecycleReasons = reason ? [reason] : [];
    if (JSON.stringify(row.lifecycleReasons) === JSON.stringify(lifecycleReasons)) continue;
    await tx.mine.attachments.update(touched({ ...row, lifecycleReasons }, given.rng));
  }
}

/** Remembers the rails on which an instance that takes a part of a node was placed. */
export async function keepRails(
  tx: FleetTx,
  wish: Wish,
  placement: InstancePlacement,
): Promise<void> {
  const { instance, profile, network, attachments } = wish;
  const offered = network && (await tx.profiles.clusterNetwork(network.profile));
  if (!network || !offered || attachments.length === 0) return;
  if (takesWholeNode(profile, offered)) return;
  await tx.railSets.put({
    instanceId: instance.id,
    clusterNetworkId: network.id,
    profile: profile.name,
    rails: placement.pairs.map(({ rail }) => rail),
  });
}
