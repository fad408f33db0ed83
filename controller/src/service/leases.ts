// Which nodes are alive: heartbeats kept in memory, so that ten thousand a second cost no durable
// write. A restart forgets them; every node is then stale until its next heartbeat.
import type { Clock } from "@railyard/lib/clock";
import type { NodeId } from "@railyard/lib/ids";

/** The last sign of life of one node's present session. */
export interface Pulse {
  readonly session: string;
  readonly epoch: bigint;
  readonly acceptedGeneration: bigint;
  readonly appliedGeneration: bigint;
  readonly digest: string;
  /** Wall time for display, milliseconds. */
  readonly at: number;
  /** Monotonic time for the lease, milliseconds. */
  readonly monotonicAt: number;
}

export class Leases {
  private readonly pulses = new Map<NodeId, Pulse>();
  /** Nodes not known to be silent, the one heard longest ago first. */
  private readonly alive = new Set<NodeId>();
  private readonly listeners: ((node: NodeId) => void)[] = [];
  private attentiveSince: number | undefined;

  constructor(
    private readonly clock: Clock,
    /** How long one heartbeat keeps a node alive, milliseconds. */
    readonly leaseMs: number,
  ) {}

  /** From now on heartbeats are heard; what came before this moment may have been missed. */
  attend(): void {
    this.attentiveSince = this.clock.monotonic();
  }

  /**
   * For how long the node was silent although heartbeats were listened for, milliseconds; 0 while
   * nobody listens.
   */
  silentMs(node: NodeId): number {
    const { attentiveSince } = this;
    if (attentiveSince === undefined) return 0;
    const heardAt = this.pulses.get(node)?.monotonicAt ?? attentiveSince;
    return this.clock.monotonic() - Math.max(heardAt, attentiveSince);
  }

  beat(node: NodeId, pulse: Omit<Pulse, "at" | "monotonicAt">): void {
    const { clock } = this;
    const { session, epoch, acceptedGeneration, appliedGeneration, digest } = pulse;
    // Member by member: ten thousand a second, and a spread costs more than all the rest.
    this.pulses.set(node, {
      session,
      epoch,
      acceptedGeneration,
      appliedGeneration,
      digest,
      at: clock.now(),
      monotonicAt: clock.monotonic(),
    });
    const wasAlive = this.alive.delete(node);
    this.alive.add(node);
    if (!wasAlive) this.tell(node);
  }

  /** Called with a node whose lease began or was found to have ended; see `lookForSilent`. */
  onChange(fn: (node: NodeId) => void): void {
    this.listeners.push(fn);
  }

  /**
   * Tells listeners of every lease that ran out since the last call. Its cost grows with these
   * alone.
   */
  lookForSilent(): void {
    for (const node of this.alive) {
      if (this.fresh(node)) return;
      this.alive.delete(node);
      this.tell(node);
    }
  }

  /** The session answered that it durably holds this generation: what its next pulse will say. */
  accepted(node: NodeId, held: Pick<Pulse, "session" | "epoch" | "acceptedGeneration">): void {
    const pulse = this.pulses.get(node);
    if (pulse?.session === held.session) this.beat(node, { ...pulse, ...held });
  }

  /** The node's last pulse, however old. */
  last(node: NodeId): Pulse | undefined {
    return this.pulses.get(node);
  }

  /** Every node that was ever heard; goes on with those that are heard meanwhile. */
  heard(): IterableIterator<NodeId> {
    return this.pulses.keys();
  }

  /** Whether the node's lease has not run out. */
  fresh(node: NodeId): boolean {
    const pulse = this.pulses.get(node);
    return pulse !== undefined && this.clock.monotonic() - pulse.monotonicAt <= this.leaseMs;
  }

  forget(node: NodeId): void {
    this.pulses.delete(node);
    if (this.alive.delete(node)) this.tell(node);
  }

  private tell(node: NodeId): void {
    for (const listener of this.listeners) listener(node);
  }
}
