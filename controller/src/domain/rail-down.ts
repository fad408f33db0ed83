// What a cluster network profile says about rails that go down below a running instance: with how
// few well rails it runs on, and whether it is stopped below that. Pure; texts are safe for owners.
import type { Attachment } from "./attachment.js";
import { landings } from "./attachment.js";
import { type Instance, type InstancePlacement, toStopping } from "./instance.js";
import type { RailPair } from "./node.js";
import type { ClusterNetworkProfile, InstanceProfile } from "./profile.js";

type Policy = Pick<ClusterNetworkProfile, "rails" | "minRails" | "onRailDown">;

/** What the rails of an instance are judged by. */
export interface RailsSeen {
  readonly profile: InstanceProfile;
  /** Of the instance, as last observed. */
  readonly attachments: readonly Attachment[];
  /** Of its node, as its inventory was judged. */
  readonly pairs: readonly RailPair[];
}

/**
 * The instance's rails that are down: an attachment on them is degraded, and the node's inventory
 * says the same. That second word keeps a report which condemns many nodes at once from stopping
 * their instances: such an inventory is withheld.
 */
export function railsDown(instance: Instance, seen: RailsSeen): readonly number[] {
  const own = instance.placement?.pairs ?? [];
  const lands = landings({
    count: seen.attachments.length,
    pairs: own.length,
    nicSpeedGbps: 0,
    layout: seen.profile.attachmentLayout,
  });
  const down = seen.attachments.flatMap(({ position, observed }) => {
    const pair = observed === "degraded" ? own[lands[position]?.pair ?? -1] : undefined;
    const judged = pair && seen.pairs.find(({ nic }) => nic === pair.nic);
    return pair && !judged?.healthy ? [pair.rail] : [];
  });
  return [...new Set(down)].sort((a, b) => a - b);
}

/** Whether the profile wants the instance stopped; one on fewer rails may lose as many. */
export function stopsForRails({ rails, minRails, onRailDown }: Policy, down: number): boolean {
  return onRailDown === "stop" && down > rails - minRails;
}

/** It is being taken off its host, since too few of its rails are well; nothing waits behind it. */
export function stoppingForRails(
  instance: Instance,
  { placement, down }: { readonly placement: InstancePlacement; readonly down: readonly number[] },
): Instance {
  const message = `too many of its rails are down (${down.join(", ")}); it can be started again`;
  const reason = { code: "stopped_by_host_failure", message, metadata: {} } as const;
  return { ...toStopping(instance, placement), statusReasons: [reason], queuedActions: [] };
}
