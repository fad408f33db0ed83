// How much of its node's message each instance takes at most: kept in memory by node and brought up
// to date from what was touched, so that a node's sum costs no look at its instances. Knows sizes,
// not contents.
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import type { Instance } from "../domain/instance.js";
import type { ReadTx, Store } from "../store/contract.js";

/**
 * At the very most: of a key of 8192 characters, of whatever else there are several of, of
 * attachments, of the image's path and all the rest.
 */
const KEY_BYTES = 32 * 1024;
const ITEM_BYTES = 2 * 1024;
const ATTACHMENTS_BYTES = 64 * 1024;
const REST_BYTES = 8 * 1024;

/** Nodes and instances kept; beyond that all are forgotten and read again. */
const KEPT_MAX = 16_384;
/** Instances that are looked at again for one answer, at most; beyond that all are forgotten. */
const OUTDATED_MAX = 256;

/** What is placed on one node, in whatever phase. */
export interface NodeBound {
  readonly instances: number;
  /** What they take of the node's message, at the very most. */
  readonly bytes: number;
  /** What they take of it at least. */
  readonly least: number;
}

type Bound = Omit<NodeBound, "instances">;

interface Sum {
  readonly instances: Map<InstanceId, Bound>;
  bytes: number;
  least: number;
}

export class MessageBounds {
  private readonly nodes = new Map<NodeId, Sum>();
  /** Of each instance on one of these nodes, which. */
  private readonly places = new Map<InstanceId, NodeId>();
  private readonly outdated = new Set<InstanceId>();

  constructor(store: Store) {
    store.onTouch(({ kind, id, row }) => {
      if (kind !== "instance" || this.nodes.size === 0) return;
      if (row) {
        this.replace(row as Instance);
        return;
      }
      this.outdated.add(id as InstanceId);
      if (this.outdated.size > OUTDATED_MAX) this.forgetAll();
    });
  }

  /** As `tx` sees it; one instance may be thought away. */
  async ofNode(tx: ReadTx, id: NodeId, without?: InstanceId): Promise<NodeBound> {
    for (const instance of this.outdated) await this.reread(tx, instance);
    const { instances, bytes, least } = this.nodes.get(id) ?? (await this.read(tx, id));
    const away = without && instances.get(without);
    if (!away) return { instances: instances.size, bytes, least };
    return {
      instances: instances.size - 1,
      bytes: bytes - away.bytes,
      least: least - away.least,
    };
  }

  private replace(row: Instance): void {
    this.outdated.delete(row.id);
    this.leave(row.id);
    this.enter(row);
  }

  private async reread(tx: ReadTx, id: InstanceId): Promise<void> {
    // What is touched while it is read is read once more.
    this.outdated.delete(id);
    this.leave(id);
    try {
      const row = await tx.everyone.instances.get(id);
      if (row) this.enter(row);
    } catch (err) {
      this.outdated.add(id);
      throw err;
    }
  }

  private async read(tx: ReadTx, id: NodeId): Promise<Sum> {
    const sum: Sum = { instances: new Map(), bytes: 0, least: 0 };
    const there = await tx.instancesOnNode(id);
    if (this.nodes.size + this.places.size + there.length >= KEPT_MAX) this.forgetAll();
    this.nodes.set(id, sum);
    for (const instance of there) this.enter(instance);
    return sum;
  }

  private enter(instance: Instance): void {
    const { id, placement } = instance;
    const sum = placement && this.nodes.get(placement.nodeId);
    if (!sum) return;
    const bytes = mostBytesOf(instance.spec, instance.clusterNetworkId !== undefined);
    const least = placement.phase === "present" ? leastBytesOf(instance.spec) : 0;
    sum.instances.set(id, { bytes, least });
    sum.bytes += bytes;
    sum.least += least;
    this.places.set(id, placement.nodeId);
  }

  private leave(id: InstanceId): void {
    const node = this.places.get(id);
    const sum = node && this.nodes.get(node);
    if (!sum) return;
    const { bytes, least } = sum.instances.get(id) ?? NOTHING;
    sum.bytes -= bytes;
    sum.least -= least;
    sum.instances.delete(id);
    this.places.delete(id);
  }

  private forgetAll(): void {
    this.nodes.clear();
    this.places.clear();
    this.outdated.clear();
  }
}

const NOTHING: Bound = { bytes: 0, least: 0 };

/** What an instance takes of its node's message at the very least. */
export function leastBytesOf({ userData }: Instance["spec"]): number {
  return userData.length;
}

/** What an instance takes of its node's message at the very most. */
export function mostBytesOf(spec: Instance["spec"], isAttached: boolean): number {
  const { keyIds, volumeIds, networkAttachments, userData } = spec;
  const items = volumeIds.length + networkAttachments.length;
  const listed = keyIds.length * KEY_BYTES + items * ITEM_BYTES;
  return userData.length + listed + (isAttached ? ATTACHMENTS_BYTES : 0) + REST_BYTES;
}

const known = new WeakMap<Store, MessageBounds>();

/** The store's one set of bounds. */
export function boundsOf(store: Store): MessageBounds {
  const bounds = known.get(store) ?? new MessageBounds(store);
  known.set(store, bounds);
  return bounds;
}
