// Writes down which nodes are silent, with the reason, and what that means for the instances on
// them. When silence counts is the domain's; nothing is moved here.
import type { NodeId } from "@railyard/lib/ids";
import { onHeardHost, onSilentHost } from "../domain/host-failure.js";
import type { Instance } from "../domain/instance.js";
import type { Node, NodeSilence } from "../domain/node.js";
import { LOST_LEASES, verdictOn } from "../domain/node-silence.js";
import type { Store, WriteTx } from "../store/contract.js";
import { touched } from "./change.js";
import type { ServiceContext } from "./context.js";
import { chanceOf } from "./mutate.js";
import { nodeBookOf } from "./node-book.js";
import { SilenceWatch } from "./silence-watch.js";

export interface Listened {
  /** Nodes whose silence began, deepened or ended, and was written down. */
  readonly changed: readonly NodeId[];
  /** How many nodes fell silent at once, when that were too many to condemn any; else 0. */
  readonly spared: number;
}

/**
 * Compares the nodes' silence with what is written down; one write for each that differs. Its cost
 * grows with what happened since the last call, not with the fleet.
 */
export async function listenToNodes(ctx: ServiceContext): Promise<Listened> {
  const watch = silenceWatchOf(ctx);
  await ctx.store.read((tx) => nodeBookOf(ctx.store).catchUp(tx));
  watch.catchUp(ctx.clock.monotonic());
  const { spared } = watch;
  const changed: NodeId[] = [];
  for (const id of watch.toJudge()) if (await write(ctx, id)) changed.push(id);
  return { changed, spared };
}

function verdictNow({ leases }: ServiceContext, { id, silence, fence }: Node) {
  const known = silence?.state;
  const isFenced = fence !== undefined;
  const heard = { known, isFenced, silentMs: leases.silentMs(id), isFresh: leases.fresh(id) };
  return verdictOn(heard, leases.leaseMs);
}

/** False when it was no longer true. */
async function write(ctx: ServiceContext, id: NodeId): Promise<boolean> {
  const at = ctx.clock.now();
  const cause = { by: "system:leases", method: "node.silence", at };
  const written = await ctx.store.write(cause, async (tx) => {
    const node = await tx.nodes.get(id);
    const verdict = node && verdictNow(ctx, node);
    if (!node || !verdict) return undefined;
    if (verdict === "heard") {
      await tx.nodes.update({ ...node, silence: undefined });
      await judgeInstances(tx, node, onHeardHost);
      return { silence: undefined };
    }
    const silence = { state: verdict, since: at, reason: reasonOf(ctx, verdict) };
    await tx.nodes.update({ ...node, silence });
    await judgeInstances(tx, node, onSilentHost);
    return { silence };
  });
  if (written) tell(ctx, id, written.silence);
  return written !== undefined;
}

async function judgeInstances(
  tx: WriteTx,
  node: Node,
  judge: (instance: Instance) => Instance,
): Promise<void> {
  for (const instance of await tx.instancesOnNode(node.id)) {
    const after = judge(instance);
    if (after === instance) continue;
    await tx.account(instance.account).instances.update(touched(after, chanceOf(after)));
  }
}

function reasonOf({ leases }: ServiceContext, state: NodeSilence["state"]): string {
  const leaseTimes = state === "lost" ? LOST_LEASES : 1;
  return `no heartbeat for ${leaseTimes * leases.leaseMs} ms`;
}

function tell(ctx: ServiceContext, nodeId: NodeId, silence: NodeSilence | undefined): void {
  if (!silence) ctx.log.info({ nodeId }, "node heard again");
  else ctx.log.warn({ nodeId, state: silence.state, why: silence.reason }, "node is silent");
}

const watches = new WeakMap<Store, SilenceWatch>();

/** The one watch over the store's nodes. */
function silenceWatchOf({ store, leases }: ServiceContext): SilenceWatch {
  const known = watches.get(store);
  if (known) return known;
  const watch = new SilenceWatch(leases);
  nodeBookOf(store).follow((id, node) => watch.put(id, node));
  watches.set(store, watch);
  return watch;
}
