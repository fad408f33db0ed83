// Whether a session may speak for its node: looked up when a sign of life comes from one that is
// not known, and a word from a superseded one is flagged.
import type { NodeId } from "@railyard/lib/ids";
import type { ServiceContext } from "./context.js";
import { flagNode } from "./node-flag.js";

/** The node's present session; undefined when it has none or is not declared. */
export async function presentSession(
  ctx: ServiceContext,
  nodeId: NodeId,
  speaker: string,
): Promise<string | undefined> {
  const node = await ctx.store.read((tx) => tx.nodes.get(nodeId));
  if (node?.superseded.includes(speaker)) {
    const message = `session ${speaker} was superseded and spoke again`;
    await flagNode(ctx, nodeId, { code: "superseded-session-spoke", message });
  }
  return node?.session;
}
