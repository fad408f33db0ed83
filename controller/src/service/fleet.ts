// Which nodes may take work, and how much of the fleet is wholly free. Decides nothing; which node
// is best is placement's.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import type { Node } from "../domain/node.js";
import type { FleetIndex } from "../placement/fleet-index.js";
import type { ServiceContext } from "./context.js";
import { fleetViewOf } from "./fleet-view.js";
import type { FleetReads } from "./tenant.js";

/** All declared nodes, as `tx` sees them; good for use until `tx` changes something. */
export function fleetOf(tx: FleetReads, ctx: ServiceContext): Promise<FleetIndex> {
  return fleetViewOf(ctx).upToDate(tx);
}

/** How many nodes of the cluster, or of one leaf group in it, are wholly free now. */
export function freeWholeNodes(
  fleet: FleetIndex,
  cluster: PhysicalClusterId,
  leafGroup?: string,
): number {
  let free = 0;
  for (const group of fleet.groups()) {
    if (group.physicalClusterId !== cluster) continue;
    if (leafGroup === undefined || group.leafGroup === leafGroup) free += group.wholeFree;
  }
  return free;
}

/** Whether the node may take work at all, apart from being alive and as declared. */
export function isEligible(node: Node): boolean {
  if (node.retired || node.cordoned || node.fence) return false;
  return node.session !== undefined && !isQuarantined(node);
}

/** Whether the node's reports contradict the store, so that it must not be used. */
export function isQuarantined(node: Pick<Node, "flags">): boolean {
  return node.flags.some(({ code }) => code === "generation-unknown");
}
