// Which nodes are alive: heartbeats kept in memory, so that ten thousand a second cost no durable
// write. A restart forgets them; every node is then stale until its next heartbeat.
import type { Clock } from "@railyard/lib/clock";
import type { NodeId } from "@railyard/lib/ids";
import { DueTimes } from "./due-times.js";

/** What a heartbeat says. */
export interface Said {
  readonly session: string;
  readonly epoch: bigint;
  readonly acceptedGeneration: bigint;
  readonly appliedGeneration: bigint;
  readonly digest: string;
}

/** The last sign of life of one node's present session. */
export interface Pulse extends Said {
  /** Wall time for display, milliseconds. */
  readonly at: number;
}

/** A node's lease; whoever keeps it can renew it without looking the node up. */
export interface Lease {
  readonly node: NodeId;
  /** What was said last; undefined once the node is forgotten. */
  readonly said: Said | undefined;
  /** Monotonic time of the last sign of life, milliseconds. */
  readonly heardAt: number;
}

interface Kept extends Lease {
  said: Said | undefined;
  heardAt: number;
  /** Whether it is not known to have run out: it then waits for its end. */
  isRunning: boolean;
  /** Whether somebody waits for the next sign of life. */
  isAwaited: boolean;
}

type Listener = (node: NodeId) => void;

export class Leases {
  private readonly kept = new Map<NodeId, Kept>();
  private readonly ends: DueTimes<Kept>;
  private readonly onChanges: Listener[] = [];
  private readonly onHeards: Listener[] = [];
  private attentiveSince: number | undefined;

  constructor(
    private readonly clock: Clock,
    /** How long one heartbeat keeps a node alive, milliseconds. */
    readonly leaseMs: number,
  ) {
    this.ends = new DueTimes({ spanMs: leaseMs, dueAt: (lease) => endOf(lease, leaseMs) });
  }

  /** From now on heartbeats are heard; what came before this moment may have been missed. */
  attend(): void {
    this.attentiveSince = this.clock.monotonic();
  }

  /** Since when heartbeats are heard, monotonic milliseconds; undefined while nobody listens. */
  get attendedSince(): number | undefined {
    return this.attentiveSince;
  }

  /**
   * Since when nothing was heard of the node although heartbeats were listened for, monotonic
   * milliseconds; now, while nobody listens.
   */
  silentSince(node: NodeId): number {
    const { attentiveSince } = this;
    if (attentiveSince === undefined) return this.clock.monotonic();
    const heardAt = this.kept.get(node)?.heardAt ?? attentiveSince;
    return Math.max(heardAt, attentiveSince);
  }

  /**
   * For how long the node was silent although heartbeats were listened for, milliseconds; 0 while
   * nobody listens.
   */
  silentMs(node: NodeId): number {
    if (this.attentiveSince === undefined) return 0;
    return this.clock.monotonic() - this.silentSince(node);
  }

  /** A sign of life. */
  beat(node: NodeId, said: Said): Lease {
    const known = this.kept.get(node);
    const lease = known ?? { node, said, heardAt: 0, isRunning: false, isAwaited: true };
    if (!known) this.kept.set(node, lease);
    lease.said = said;
    this.begin(lease);
    return lease;
  }

  /**
   * A sign of life that says the same as when it was `said`. False, and nothing is done, when that
   * is not what the lease holds any more.
   */
  renew(lease: Lease, said: Said): boolean {
    if (lease.said !== said) return false;
    this.begin(lease as Kept);
    return true;
  }

  /** Ten thousand times a second: writes a time, as long as nobody waits for more. */
  private begin(lease: Kept): void {
    const now = this.clock.monotonic();
    // Whoever asked meanwhile was told that it ran out, also where nobody looked for that.
    const wasFresh = lease.isRunning && now <= endOf(lease, this.leaseMs);
    lease.heardAt = now;
    if (wasFresh && !lease.isAwaited) return;
    const { node, isRunning, isAwaited } = lease;
    lease.isRunning = true;
    lease.isAwaited = false;
    if (!isRunning) this.ends.put(lease);
    if (!wasFresh) for (const listener of this.onChanges) listener(node);
    if (isAwaited) for (const listener of this.onHeards) listener(node);
  }

  /** Called with a node whose lease began or was found to have ended; see `lookForSilent`. */
  onChange(fn: Listener): void {
    this.onChanges.push(fn);
  }

  /** Called with a node that is heard for the first time, or that was awaited. */
  onHeard(fn: Listener): void {
    this.onHeards.push(fn);
  }

  /** The next sign of life of this node is told. */
  awaitNode(node: NodeId): void {
    const lease = this.kept.get(node);
    if (lease) lease.isAwaited = true;
  }

  /**
   * Tells listeners of every lease that ran out since the last call. Its cost grows with these, and
   * with the leases of which one more lease time is over.
   */
  lookForSilent(): void {
    for (const lease of this.ends.take(this.clock.monotonic())) {
      lease.isRunning = false;
      for (const listener of this.onChanges) listener(lease.node);
    }
  }

  /** The session answered that it durably holds this generation: what its next pulse will say. */
  accepted(node: NodeId, held: Pick<Said, "session" | "epoch" | "acceptedGeneration">): void {
    const said = this.kept.get(node)?.said;
    if (said?.session !== held.session) return;
    const { session, epoch, acceptedGeneration } = held;
    const { appliedGeneration, digest } = said;
    this.beat(node, { session, epoch, acceptedGeneration, appliedGeneration, digest });
  }

  /** What the node said last, however long ago. */
  said(node: NodeId): Said | undefined {
    return this.kept.get(node)?.said;
  }

  /** The node's last pulse, however old. */
  last(node: NodeId): Pulse | undefined {
    const lease = this.kept.get(node);
    if (!lease?.said) return undefined;
    const { session, epoch, acceptedGeneration, appliedGeneration, digest } = lease.said;
    const at = Math.round(this.clock.now() - (this.clock.monotonic() - lease.heardAt));
    return { session, epoch, acceptedGeneration, appliedGeneration, digest, at };
  }

  /** Every node that was ever heard; goes on with those that are heard meanwhile. */
  heard(): IterableIterator<NodeId> {
    return this.kept.keys();
  }

  /** Whether the node's lease has not run out. */
  fresh(node: NodeId): boolean {
    const lease = this.kept.get(node);
    return lease !== undefined && this.clock.monotonic() <= endOf(lease, this.leaseMs);
  }

  forget(node: NodeId): void {
    const lease = this.kept.get(node);
    if (!lease) return;
    this.kept.delete(node);
    lease.said = undefined;
    // Whatever waits for its end lets it go.
    lease.heardAt = Number.POSITIVE_INFINITY;
    if (lease.isRunning) for (const listener of this.onChanges) listener(node);
  }
}

/** Until when the lease runs; one sum for all, as fractions round otherwise in another. */
function endOf({ heardAt }: Lease, leaseMs: number): number {
  return heardAt + leaseMs;
}
