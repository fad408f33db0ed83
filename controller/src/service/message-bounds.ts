// How much of its node's message each instance takes at most: kept in memory until the instance is
// touched, so that a node's sum costs no look at its instances' rows. Knows sizes, not contents.
import type { InstanceId } from "@railyard/lib/ids";
import type { Instance } from "../domain/instance.js";
import type { ReadTx, Store } from "../store/contract.js";

/** Of a key of 8192 characters, of all else that is looked up, of attachments: at the very most. */
const KEY_BYTES = 32 * 1024;
const ITEM_BYTES = 2 * 1024;
const ATTACHMENTS_BYTES = 64 * 1024;

/** Instances kept; beyond that all are forgotten and read again. */
const INSTANCES_MAX = 16_384;

class MessageBounds {
  private readonly bounds = new Map<InstanceId, number>();

  constructor(store: Store) {
    store.onTouch(({ kind, id }) => {
      if (kind === "instance") this.bounds.delete(id as InstanceId);
    });
  }

  /** An upper bound, in bytes, of what the instance takes as `tx` sees it. */
  async of(tx: ReadTx, id: InstanceId): Promise<number> {
    const known = this.bounds.get(id);
    if (known !== undefined) return known;
    const instance = await tx.everyone.instances.get(id);
    const bound = instance ? mostBytesOf(instance) : 0;
    if (this.bounds.size >= INSTANCES_MAX) this.bounds.clear();
    this.bounds.set(id, bound);
    return bound;
  }
}

function mostBytesOf({ spec, clusterNetworkId }: Instance): number {
  const { keyIds, volumeIds, networkAttachments: nics } = spec;
  const items = 4 + volumeIds.length + nics.length;
  const looked = keyIds.length * KEY_BYTES + items * ITEM_BYTES;
  const own = Buffer.byteLength(JSON.stringify(spec));
  return own + looked + (clusterNetworkId ? ATTACHMENTS_BYTES : 0);
}

const known = new WeakMap<Store, MessageBounds>();

/** The store's one set of bounds. */
export function boundsOf(store: Store): MessageBounds {
  const bounds = known.get(store) ?? new MessageBounds(store);
  known.set(store, bounds);
  return bounds;
}
