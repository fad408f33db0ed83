// The rail rule for instances that take a part of a node: the first of a cluster network and
// profile fixes the ordered rails of all that follow, until the last one is gone. For those that
// take a whole node the rails follow from the profile.
import { landings, type RailShape, railMismatches } from "../domain/attachment.js";
import { maskOf } from "../domain/bundle.js";
import type { InstancePlacement } from "../domain/instance.js";
import {
  type ClusterNetworkProfile,
  type InstanceProfile,
  takesWholeNode,
} from "../domain/profile.js";
import { touched } from "./change.js";
import type { Home } from "./instance-attachments.js";
import type { Given } from "./mutate.js";
import type { PlaceWish } from "./placing.js";
import type { FleetReads, FleetTx, TenantReads, TenantTx } from "./tenant.js";

type Wish = Pick<PlaceWish, "instance" | "profile" | "network" | "attachments">;

/** What decides the rails of an instance to come, the ones that others have fixed included. */
export async function railShape(
  tx: FleetReads,
  profile: InstanceProfile,
  home: Home,
): Promise<RailShape> {
  const rails = await tx.railSets.of(home.network.id, profile.name);
  return { profile, network: home.profile, rails };
}

/** The set of rails that the instance must be on, bit r for rail r; undefined: any. */
export async function railsFor(tx: FleetReads, wish: Wish): Promise<number | undefined> {
  const { profile, network, attachments } = wish;
  const offered = network && (await tx.profiles.clusterNetwork(network.profile));
  if (!network || !offered || attachments.length === 0) return undefined;
  if (takesWholeNode(profile, offered)) return 2 ** offered.rails - 1;
  const fixed = await tx.railSets.of(network.id, profile.name);
  return fixed && maskOf(fixed);
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
