// Which servers there are, what is written down of their silence and who of them is enrolled, kept
// beside the store and brought up to date from what was touched: the whole fleet is looked at every
// second. It judges nobody.
import type { NodeId } from "@railyard/lib/ids";
import type { Node } from "../domain/node.js";
import type { ReadTx, Store } from "../store/contract.js";

export type BookedNode = Pick<
  Node,
  "id" | "silence" | "fence" | "retired" | "registeredAt" | "publicKey"
>;

/** A declared node that may speak, and the key it speaks with. */
export interface EnrolledNode {
  readonly id: NodeId;
  readonly publicKey: string;
}

export class NodeBook {
  private readonly nodes = new Map<NodeId, BookedNode>();
  private readonly outdated = new Set<NodeId>();
  private unread = true;
  /** By id; undefined while somebody came or went since it was made. */
  private enrolment: readonly EnrolledNode[] | undefined;

  constructor(store: Store) {
    store.onTouch(({ kind, id }) => {
      if (kind === "node") this.outdated.add(id as NodeId);
    });
  }

  /** All nodes as `tx` sees them. Its cost grows with what was touched since the last call. */
  async upToDate(tx: ReadTx): Promise<Iterable<BookedNode>> {
    if (this.unread) {
      const all = await tx.nodes.all();
      for (const node of all) this.nodes.set(node.id, entryOf(node));
      this.unread = false;
    }
    for (const id of this.outdated) await this.reread(tx, id);
    return this.nodes.values();
  }

  /** Who is enrolled, by id; the same list as long as nobody comes or goes. */
  async enrolled(tx: ReadTx): Promise<readonly EnrolledNode[]> {
    const nodes = await this.upToDate(tx);
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
      if (node) this.nodes.set(id, entryOf(node));
      else this.nodes.delete(id);
      const keys = [before, node].map((one) => one && enrolmentOf(one)?.publicKey);
      if (keys[0] !== keys[1]) this.enrolment = undefined;
    } catch (err) {
      this.outdated.add(id);
      throw err;
    }
  }
}

function entryOf({ id, silence, fence, retired, registeredAt, publicKey }: Node): BookedNode {
  return { id, silence, fence, retired, registeredAt, publicKey };
}

function enrolmentOf({ id, publicKey, retired }: BookedNode): EnrolledNode | undefined {
  return publicKey === undefined || retired ? undefined : { id, publicKey };
}

const books = new WeakMap<Store, NodeBook>();

/** The store's one book. */
export function nodeBookOf(store: Store): NodeBook {
  const book = books.get(store) ?? new NodeBook(store);
  books.set(store, book);
  return book;
}
