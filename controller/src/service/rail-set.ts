// The rail rule for instances that take a part of a node: the first of a cluster network and
// profile fixes the ordered rails of all that follow, until the last one is gone. For those that
// take a whole node the rails follow from the profile.
import { maskOf } from "../domain/bundle.js";
import { takesWholeNode } from "../domain/profile.js";
import type { Plan } from "../placement/fleet.js";
import type { PlaceWish } from "./placing.js";
import type { FleetReads, FleetTx } from "./tenant.js";

type Wish = Pick<PlaceWish, "instance" | "profile" | "network" | "attachments">;

/** The set of rails that the instance must be on, bit r for rail r; undefined: any. */
export async function railsFor(tx: FleetReads, wish: Wish): Promise<number | undefined> {
  const { profile, network, attachments } = wish;
  const offered = network && (await tx.profiles.clusterNetwork(network.profile));
  if (!network || !offered || attachments.length === 0) return undefined;
  if (takesWholeNode(profile, offered)) return 2 ** offered.rails - 1;
  const fixed = await tx.railSets.of(network.id, profile.name);
  return fixed && maskOf(fixed);
}

/** Remembers the rails on which an instance that takes a part of a node was placed. */
export async function keepRails(tx: FleetTx, wish: Wish, plan: Plan): Promise<void> {
  const { instance, profile, network, attachments } = wish;
  const offered = network && (await tx.profiles.clusterNetwork(network.profile));
  if (!network || !offered || attachments.length === 0) return;
  if (takesWholeNode(profile, offered)) return;
  await tx.railSets.put({
    instanceId: instance.id,
    clusterNetworkId: network.id,
    profile: profile.name,
    rails: plan.pairs.map(({ rail }) => rail),
  });
}
