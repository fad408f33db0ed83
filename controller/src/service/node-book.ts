// Which servers there are and what is written down of their silence, kept beside the store and
// brought up to date from what was touched: the whole fleet is looked at every second. It judges
// nobody.
import type { NodeId } from "@railyard/lib/ids";
import type { Node } from "../domain/node.js";
import type { ReadTx, Store } from "../store/contract.js";

export type BookedNode = Pick<Node, "id" | "silence" | "fence" | "retired" | "registeredAt">;

export class NodeBook {
  private readonly nodes = new Map<NodeId, BookedNode>();
  private readonly outdated = new Set<NodeId>();
  private unread = true;

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

  private async reread(tx: ReadTx, id: NodeId): Promise<void> {
    // What is touched while it is read is read once more.
    this.outdated.delete(id);
    try {
      const node = await tx.nodes.get(id);
      if (node) this.nodes.set(id, entryOf(node));
      else this.nodes.delete(id);
    } catch (err) {
      this.outdated.add(id);
      throw err;
    }
  }
}

function entryOf({ id, silence, fence, retired, registeredAt }: Node): BookedNode {
  return { id, silence, fence, retired, registeredAt };
}

const books = new WeakMap<Store, NodeBook>();

/** The store's one book. */
export function nodeBookOf(store: Store): NodeBook {
  const book = books.get(store) ?? new NodeBook(store);
  books.set(store, book);
  return book;
}
