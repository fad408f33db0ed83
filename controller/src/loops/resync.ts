// Finds what a nudge missed: a node whose heartbeat holds another generation or another digest than
// the store means it to have is sent its desired state again.
import type { NodeId } from "@railyard/lib/ids";
import { Loop } from "@railyard/lib/loop";
import type { Node } from "../domain/node.js";
import type { ServiceContext } from "../service/context.js";
import { desiredNode, intendedNodeDigest } from "../service/desired.js";
import { epochOf } from "../service/epoch.js";
import type { Pulse } from "../service/leases.js";
import type { ReadTx } from "../store/contract.js";

export interface ResyncOptions {
  readonly ctx: ServiceContext;
  /** Upper bound between two passes, milliseconds. */
  readonly periodMs: number;
  /** Sends one node its desired state. */
  readonly wake: (nodeId: NodeId) => void;
}

export function resyncLoop({ ctx, periodMs, wake }: ResyncOptions): Loop {
  const { clock, log } = ctx;
  return new Loop({
    name: "resync",
    clock,
    log,
    periodMs,
    runOnce: async () => {
      const behind = await nodesBehind(ctx);
      for (const nodeId of behind) wake(nodeId);
      if (behind.length > 0) log.info({ nodes: behind.length }, "nodes behind their desired state");
    },
  });
}

/** Living nodes that do not hold, or have not applied, what they should. */
export function nodesBehind(ctx: ServiceContext): Promise<readonly NodeId[]> {
  return ctx.store.read(async (tx) => {
    const epoch = await epochOf(tx);
    // The relay is at these already.
    const pending = new Set((await tx.outbox.pending()).map(({ nodeId }) => nodeId));
    const behind: NodeId[] = [];
    for (const node of await tx.nodes.all()) {
      if (pending.has(node.id)) continue;
      const pulse = ctx.leases.last(node.id);
      if (!pulse || pulse.session !== node.session || !ctx.leases.fresh(node.id)) continue;
      if (await isBehind(tx, ctx, { node, pulse, epoch })) behind.push(node.id);
    }
    return behind;
  });
}

interface Compared {
  readonly node: Node;
  readonly pulse: Pulse;
  readonly epoch: bigint;
}

async function isBehind(
  tx: ReadTx,
  ctx: ServiceContext,
  { node, pulse, epoch }: Compared,
): Promise<boolean> {
  if (pulse.epoch !== epoch || pulse.acceptedGeneration < node.generation) return true;
  // What is being applied has no digest to compare yet.
  if (pulse.appliedGeneration < pulse.acceptedGeneration || pulse.digest === "") return false;
  return pulse.digest !== intendedNodeDigest(await desiredNode(tx, ctx.catalog, node));
}
