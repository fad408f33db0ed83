// Puts a flag on a node for an operator to look at. Each kind of trouble is written once, however
// often it is seen.
import type { NodeId } from "@railyard/lib/ids";
import { flagged, type NodeFlag } from "../domain/node.js";
import type { ServiceContext } from "./context.js";

/**
 * Flags the node and logs it; with a flag that it carries already, or for a node that is gone, it
 * does nothing.
 */
export async function flagNode(
  ctx: ServiceContext,
  nodeId: NodeId,
  flag: Omit<NodeFlag, "at">,
): Promise<void> {
  const at = ctx.clock.now();
  const cause = { by: "system:agent", method: "node.flag", at };
  const isNew = await ctx.store.write(cause, async (tx) => {
    const node = await tx.nodes.get(nodeId);
    const after = node && flagged(node, { ...flag, at });
    if (!after || after === node) return false;
    await tx.nodes.update(after);
    return true;
  });
  if (isNew) ctx.log.warn({ nodeId, flag: flag.code, why: flag.message }, "node flagged");
}
