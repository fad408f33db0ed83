// Stops a running instance whose rails are down, where the profile of its cluster network says so.
// Which rails count as down and how many may be is decided in the domain.
import type { Instance } from "../domain/instance.js";
import { railsDown, stoppingForRails, stopsForRails } from "../domain/rail-down.js";
import { touched } from "./change.js";
import { leaveHost } from "./instance-leave.js";
import { chanceOf } from "./mutate.js";
import type { TenantTx } from "./tenant.js";

/** The instance as it is being stopped, written; undefined when it may run on. */
export async function stopForRails(
  tx: TenantTx,
  instance: Instance,
): Promise<Instance | undefined> {
  const { mine } = tx;
  const { status, clusterNetworkId, placement } = instance;
  if (status !== "running" || !clusterNetworkId || !placement) return undefined;
  const network = await mine.clusterNetworks.get(clusterNetworkId);
  const policy = network && (await tx.profiles.clusterNetwork(network.profile));
  if (policy?.onRailDown !== "stop") return undefined;
  const profile = await tx.profiles.instance(instance.profile);
  const node = await tx.nodes.get(placement.nodeId);
  if (!profile || !node) return undefined;
  const attachments = await mine.attachments.ofInstance(instance.id);
  const down = railsDown(instance, { profile, attachments, pairs: node.pairs });
  const leaving = stopsForRails(policy, down.length) && (await leaveHost(tx, instance));
  if (!leaving) return undefined;
  const stopping = stoppingForRails(instance, { placement: leaving, down });
  const written = touched(stopping, chanceOf(stopping));
  await mine.instances.update(written);
  return written;
}
