// Finds what a nudge missed: a node whose heartbeat holds another generation or another digest than
// the store means it to have is sent its desired state again. Nodes with news are looked at first;
// the rest of the fleet in turn, some with every pass.
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

/** Nodes looked at in one pass: a fleet of as many is seen whole in every period. */
const PER_PASS = 512;
/** Nodes looked at in one transaction, for which others wait. */
const PER_READ = 32;

export class Resync {
  private readonly loop: Loop;
  private readonly news = new Set<NodeId>();
  private turn: IterableIterator<NodeId>;
  private turnedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ResyncOptions) {
    const { ctx, periodMs } = options;
    const { clock, log } = ctx;
    this.turn = ctx.leases.heard();
    const runOnce = () => this.runOnce();
    this.loop = new Loop({ name: "resync", clock, log, periodMs, runOnce });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** The node's heartbeat says something new. */
  heard(nodeId: NodeId): void {
    this.news.add(nodeId);
    this.loop.nudge();
  }

  private async runOnce(): Promise<void> {
    const { ctx, wake } = this.options;
    const nodes = this.next();
    let behind = 0;
    for (let first = 0; first < nodes.length; first += PER_READ) {
      const found = await nodesBehind(ctx, nodes.slice(first, first + PER_READ));
      for (const nodeId of found) wake(nodeId);
      behind += found.length;
    }
    if (behind > 0) ctx.log.info({ nodes: behind }, "nodes behind their desired state");
    if (this.news.size > 0) this.loop.nudge();
  }

  /** Those with news; when there are none, and once in a period, the next in turn. */
  private next(): readonly NodeId[] {
    const nodes: NodeId[] = [];
    for (const nodeId of this.news) {
      if (nodes.length >= PER_PASS) break;
      this.news.delete(nodeId);
      nodes.push(nodeId);
    }
    const { clock, leases } = this.options.ctx;
    const now = clock.monotonic();
    if (nodes.length > 0 && now - this.turnedAt < this.options.periodMs) return nodes;
    this.turnedAt = now;
    while (nodes.length < PER_PASS) {
      const { value, done } = this.turn.next();
      if (!done) nodes.push(value);
      else {
        this.turn = leases.heard();
        break;
      }
    }
    return nodes;
  }
}

/** Of these, the living ones that do not hold, or have not applied, what they should. */
export function nodesBehind(
  ctx: ServiceContext,
  nodes: Iterable<NodeId> = ctx.leases.heard(),
): Promise<readonly NodeId[]> {
  return ctx.store.read(async (tx) => {
    const epoch = await epochOf(tx);
    // The relay is at these already.
    const pending = new Set((await tx.outbox.pending()).map(({ nodeId }) => nodeId));
    const behind: NodeId[] = [];
    for (const id of nodes) {
      const node = pending.has(id) ? undefined : await tx.nodes.get(id);
      if (!node) continue;
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
