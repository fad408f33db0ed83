// Which servers there are, what is written down of their silence and their fitness, and who of them
// is enrolled, kept beside the store and brought up to date from what was touched, as the fleet is
// asked about every second. It judges nobody.
import type { NodeId } from "@railyard/lib/ids";
import { isFit, type Standing } from "../domain/inventory-breaker.js";
import type { Node } from "../domain/node.js";
import type { ReadTx, Store } from "../store/contract.js";

export type BookedNode = Standing & Pick<Node, "silence" | "fence" | "registeredAt" | "publicKey">;

/** A declared node that may speak, and the key it speaks with. */
export interface EnrolledNode {
  readonly id: NodeId;
  readonly publicKey: string;
}

/** Told how a node is now; undefined: it is not there any more. */
export type Follower = (id: NodeId, node: BookedNode | undefined) => void;

export class NodeBook {
  private readonly nodes = new Map<NodeId, BookedNode>();
  private readonly outdated = new Set<NodeId>();
  private readonly followers: Follower[] = [];
  private unread = true;
  /** By id; undefined while somebody came or went since it was made. */
  private enrolment: readonly EnrolledNode[] | undefined;

  constructor(store: Store) {
    store.onTouch(({ kind, id }) => {
      if (kind === "node") this.outdated.add(id as NodeId);
    });
  }

  /** Tells of every node there is, then of each that has changed, as soon as it is read. */
  follow(fn: Follower): void {
    this.followers.push(fn);
    for (const [id, node] of this.nodes) fn(id, node);
  }

  /** Reads nodes as `tx` sees them. Its cost grows with what was touched since the last call. */
  async catchUp(tx: ReadTx): Promise<void> {
    if (this.unread) {
      const all = await tx.nodes.all();
      for (const node of all) this.put(node.id, entryOf(node));
      this.unread = false;
    }
    for (const id of this.outdated) await this.reread(tx, id);
  }

  /** All nodes as `tx` sees them. */
  async all(tx: ReadTx): Promise<Iterable<BookedNode>> {
    await this.catchUp(tx);
    return this.nodes.values();
  }

  /** Who is enrolled, by id; the same list as long as nobody comes or goes. */
  async enrolled(tx: ReadTx): Promise<readonly EnrolledNode[]> {
    const nodes = await this.all(tx);
    this.enrolment ??= [...nodes]
      .flatMap((node) => enrolmentOf(node) ?? [])
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    return this.enrolment;
  }

  private async reread(tx: ReadTx, id: NodeId): Promise<void> {
    // What is touched while it is read is read once more.
    this.outdated.delete(id);
    try {
      const before = this.nodes.get(id);
      const node = await tx.nodes.get(id);
      this.put(id, node && entryOf(node));
      const keys = [before, node].map((one) => one && enrolmentOf(one)?.publicKey);
      if (keys[0] !== keys[1]) this.enrolment = undefined;
    } catch (err) {
      this.outdated.add(id);
      throw err;
    }
  }

  private put(id: NodeId, node: BookedNode | undefined): void {
    if (node) this.nodes.set(id, node);
    else this.nodes.delete(id);
    for (const follower of this.followers) follower(id, node);
  }
}

function entryOf(node: Node): BookedNode {
  const { id, silence, fence, retired, registeredAt, publicKey } = node;
  const { physicalClusterId, unfitSince, withheld } = node;
  return {
    id,
    silence,
    fence,
    retired,
    registeredAt,
    publicKey,
    physicalClusterId,
    unfitSince,
    isFit: isFit(node),
    isWithheld: withheld !== undefined,
  };
}

function enrolmentOf({
  id,
  publicKey,
  retired,
}: Pick<Node, "id" | "publicKey" | "retired">): EnrolledNode | undefined {
  return publicKey === undefined || retired ? undefined : { id, publicKey };
}

const books = new WeakMap<Store, NodeBook>();

/** The store's one book. */
export function nodeBookOf(store: Store): NodeBook {
  const book = books.get(store) ?? new NodeBook(store);
  books.set(store, book);
  return book;
}
