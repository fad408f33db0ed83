// Writes down which nodes are silent, with the reason, and what that means for the instances on
// them. When silence counts is the domain's; nothing is moved here.
import type { NodeId } from "@railyard/lib/ids";
import { onHeardHost, onSilentHost } from "../domain/host-failure.js";
import type { Instance } from "../domain/instance.js";
import type { Node, NodeSilence } from "../domain/node.js";
import { type Heard, isMassSilence, LOST_LEASES, silenceAfter } from "../domain/node-silence.js";
import type { WriteTx } from "../store/contract.js";
import { touched } from "./change.js";
import type { ServiceContext } from "./context.js";
import { chanceOf } from "./mutate.js";
import { type BookedNode, nodeBookOf } from "./node-book.js";

export interface Listened {
  /** Nodes whose silence began, deepened or ended, and was written down. */
  readonly changed: readonly NodeId[];
  /** How many nodes fell silent at once, when that were too many to condemn any; else 0. */
  readonly spared: number;
}

/** Compares every registered node's silence with what is written down; one write for each. */
export async function listenToNodes(ctx: ServiceContext): Promise<Listened> {
  const nodes = await ctx.store.read(async (tx) =>
    [...(await nodeBookOf(ctx.store).upToDate(tx))].filter(isRegistered),
  );
  const unfenced = nodes.filter(({ fence }) => !fence).map((node) => heardOf(ctx, node));
  const { leaseMs } = ctx.leases;
  const mass = isMassSilence(unfenced, leaseMs);
  const changed: NodeId[] = [];
  for (const node of nodes) {
    const verdict = verdictOn(ctx, node);
    if (!verdict || (mass && verdict !== "heard")) continue;
    if (await write(ctx, node.id)) changed.push(node.id);
  }
  const spared = mass ? unfenced.filter(({ silentMs }) => silentMs > leaseMs).length : 0;
  return { changed, spared };
}

function isRegistered({ retired, registeredAt }: BookedNode): boolean {
  return !retired && registeredAt !== undefined;
}

function heardOf({ leases }: ServiceContext, { id, silence }: BookedNode): Heard {
  return { known: silence?.state, silentMs: leases.silentMs(id) };
}

/** What is to be written down about the node; undefined when nothing is new. */
function verdictOn(
  ctx: ServiceContext,
  node: BookedNode,
): NodeSilence["state"] | "heard" | undefined {
  const { known, silentMs } = heardOf(ctx, node);
  const now = silenceAfter(silentMs, ctx.leases.leaseMs);
  // Not to have listened for long is no sign of life.
  if (ctx.leases.fresh(node.id)) return known && "heard";
  return node.fence || known === "lost" || known === now ? undefined : now;
}

/** False when it was no longer true. */
async function write(ctx: ServiceContext, id: NodeId): Promise<boolean> {
  const at = ctx.clock.now();
  const cause = { by: "system:leases", method: "node.silence", at };
  const written = await ctx.store.write(cause, async (tx) => {
    const node = await tx.nodes.get(id);
    const verdict = node && verdictOn(ctx, node);
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
