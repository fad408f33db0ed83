// Judges inventories, and holds a judgement back when too many nodes of a cluster suddenly turn out
// unfit. When that is too many is decided in domain/inventory-breaker.ts; a node's work is never
// touched here.
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import type { Seen } from "../domain/declaration.js";
import {
  isFit,
  isMassUnfit,
  type Standing,
  type Turnout,
  turnouts,
} from "../domain/inventory-breaker.js";
import type { Node } from "../domain/node.js";
import { withFlag, withoutFlag } from "../domain/node-flag.js";
import type { ReadTx, Store } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { seenSerial, withInventory } from "./declared.js";
import { type NodeBook, nodeBookOf } from "./node-book.js";

const FLAG = "inventory-withheld";

/**
 * What is booked of all clusters, kept while some node has turned, so that a fleet that turns at
 * once is not counted for each node. Each look at them all corrects it.
 */
class Breaker {
  private known: ReadonlyMap<PhysicalClusterId, Turnout> | undefined;
  /** Whether some node may have turned: until the first look, nobody knows. */
  turning = true;

  constructor(private readonly book: NodeBook) {}

  /** Counts the node as turned; answers whether that is one too many. */
  async isTooMany(tx: ReadTx, node: Node, now: number): Promise<boolean> {
    this.turning = true;
    this.known ??= turnouts(await this.book.all(tx), now);
    const { physicalClusterId: id } = node;
    const { fit, turned } = this.known.get(id) ?? { fit: 0, turned: new Set() };
    const turnout = { fit, turned: new Set(turned).add(node.id) };
    this.known = new Map(this.known).set(id, turnout);
    return isMassUnfit(turnout);
  }

  /** Takes a look at all nodes; answers which clusters' nodes are believed. */
  look(nodes: Iterable<Standing>, now: number): (node: Standing) => boolean {
    const known = turnouts(nodes, now);
    this.turning = [...known.values()].some(({ turned }) => turned.size > 0);
    this.known = this.turning ? known : undefined;
    return ({ physicalClusterId }) => {
      const turnout = known.get(physicalClusterId);
      return !turnout || !isMassUnfit(turnout);
    };
  }
}

const breakers = new WeakMap<Store, Breaker>();

function breakerOf({ store }: ServiceContext): Breaker {
  const breaker = breakers.get(store) ?? new Breaker(nodeBookOf(store));
  breakers.set(store, breaker);
  return breaker;
}

/** What the machine told last, believed or not; undefined before it told anything. */
export function newestSeen(node: Node): Seen | undefined {
  if (node.withheld) return node.withheld;
  return node.inventory && { serial: seenSerial(node), inventory: node.inventory };
}

/**
 * The node with what its machine told, judged; when it is one of too many that turn out unfit, as
 * it was, with what was told held back and a flag.
 */
export async function judged(
  tx: ReadTx,
  ctx: ServiceContext,
  { node, seen }: { readonly node: Node; readonly seen: Seen },
): Promise<Node> {
  const now = ctx.clock.now();
  const after = await believed(tx, node, { seen, now });
  const turns = isFit(node) && !isFit(after);
  const holds = turns && (node.withheld || (await breakerOf(ctx).isTooMany(tx, node, now)));
  if (!holds) return after;
  const kinds = [...new Set(after.mismatches.map(({ kind }) => kind))].join(", ");
  const message = `its newest inventory is not believed, as too many differ at once: ${kinds}`;
  const { serial, inventory } = seen;
  const withheld = { since: node.withheld?.since ?? now, serial, inventory };
  return withFlag({ ...node, withheld }, { code: FLAG, message, at: now });
}

/** The node judged by what was held back, however many others turned out unfit. */
export async function released(tx: ReadTx, node: Node, now: number): Promise<Node> {
  return node.withheld ? believed(tx, node, { seen: node.withheld, now }) : node;
}

/**
 * The node against its new declaration: by what its machine told last when that fits now, else by
 * what was believed.
 */
export async function judgedAnew(tx: ReadTx, node: Node, now: number): Promise<Node> {
  const newest = await released(tx, node, now);
  if (newest !== node && isFit(newest)) return newest;
  if (!node.inventory) return node;
  return withInventory(tx, node, { serial: seenSerial(node), inventory: node.inventory });
}

async function believed(
  tx: ReadTx,
  node: Node,
  { seen, now }: { readonly seen: Seen; readonly now: number },
): Promise<Node> {
  const plain = withoutFlag({ ...node, withheld: undefined }, FLAG);
  const after = await withInventory(tx, plain, seen);
  const since = isFit(node) ? now : node.unfitSince;
  return { ...after, unfitSince: isFit(after) ? undefined : since };
}

export interface Reviewed {
  /** Nodes whose newest inventory was believed in the end. */
  readonly released: readonly NodeId[];
  /** How many judgements are still held back. */
  readonly withheld: number;
}

/** Judges what was held back in clusters where not too many nodes differ any more. */
export async function reviewInventories(ctx: ServiceContext): Promise<Reviewed> {
  const breaker = breakerOf(ctx);
  if (!breaker.turning) return { released: [], withheld: 0 };
  const nodes = [...(await ctx.store.read((tx) => nodeBookOf(ctx.store).all(tx)))];
  const isBelieved = breaker.look(nodes, ctx.clock.now());
  const waiting = nodes.filter(({ retired, isWithheld }) => !retired && isWithheld);
  const ids: NodeId[] = [];
  for (const node of waiting) {
    if (isBelieved(node) && (await release(ctx, node.id))) ids.push(node.id);
  }
  return { released: ids, withheld: waiting.length - ids.length };
}

/** False when there is nothing to release any more. */
function release(ctx: ServiceContext, id: NodeId): Promise<boolean> {
  const at = ctx.clock.now();
  const cause = { by: "system:inventories", method: "node.inventory", at };
  return ctx.store.write(cause, async (tx) => {
    const node = await tx.nodes.get(id);
    if (!node?.withheld) return false;
    await tx.nodes.update(await released(tx, node, at));
    return true;
  });
}
