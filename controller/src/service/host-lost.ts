// Refuses what would need an instance's host while that host does not answer and is not fenced.
import { refuse } from "@railyard/lib/errors";
import type { Instance } from "../domain/instance.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { FleetReads } from "./tenant.js";

/** Throws `precondition` INSTANCE_HOST_LOST while the instance's host is suspect or lost. */
export async function refuseHostLost(tx: FleetReads, { id, placement }: Instance): Promise<void> {
  const host = placement && (await tx.nodes.get(placement.nodeId));
  if (!host?.silence) return;
  throw refuse("precondition", `the host of instance ${id} does not answer; nothing may move yet`, {
    reason: "INSTANCE_HOST_LOST",
    resource: { type: RESOURCE_TYPE.instance, id },
  });
}
