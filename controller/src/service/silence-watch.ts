// Which registered nodes are silent, counted and sorted as it happens: a node is looked at when
// something is written down of it, when it is heard after a silence, and when the next half lease
// without a sign of life is over. Judges by the domain's rules; writes nothing.
import type { NodeId } from "@railyard/lib/ids";
import {
  isMassSilence,
  LOST_LEASES,
  QUIET_SHARE,
  shareOf,
  verdictOn,
} from "../domain/node-silence.js";
import { DueTimes } from "./due-times.js";
import type { Leases } from "./leases.js";
import type { BookedNode } from "./node-book.js";

/** Looks at a node until it counts as lost; then only an event changes anything. */
const LOOKS_MAX = LOST_LEASES / QUIET_SHARE;

type Known = Pick<BookedNode, "silence" | "fence" | "retired" | "registeredAt">;

interface Watched {
  readonly id: NodeId;
  known: NonNullable<Known["silence"]>["state"] | undefined;
  isFenced: boolean;
  isGone: boolean;
  /** Half leases that its silence lasted when it was looked at. */
  halves: number;
  /** Whether it waits for the end of its next half lease. */
  isWaiting: boolean;
  readonly adds: { counted: boolean; quiet: boolean; overdue: boolean };
}

export class SilenceWatch {
  private readonly nodes = new Map<NodeId, Watched>();
  private readonly waiting: DueTimes<Watched>;
  /** Silent for half a lease or longer. */
  private readonly quiet = new Set<Watched>();
  private readonly toHear = new Set<Watched>();
  private readonly toCondemn = new Set<Watched>();
  private readonly sum = { counted: 0, quiet: 0, overdue: 0 };
  private readonly halfMs: number;
  private attendedSince: number | undefined;

  constructor(private readonly leases: Leases) {
    this.halfMs = QUIET_SHARE * leases.leaseMs;
    const dueAt = ({ id, halves, isGone }: Watched) =>
      isGone ? Number.POSITIVE_INFINITY : leases.silentSince(id) + (halves + 1) * this.halfMs;
    this.waiting = new DueTimes({ spanMs: this.halfMs, dueAt });
    const told = (id: NodeId) => this.look(this.nodes.get(id));
    leases.onHeard(told);
    leases.onChange(told);
  }

  /** The node is as this now; undefined: it is not declared any more. */
  put(id: NodeId, node: Known | undefined): void {
    const known = this.nodes.get(id);
    if (!node || node.retired || node.registeredAt === undefined) {
      if (known) this.drop(known);
      return;
    }
    const watched = known ?? newlyWatched(id);
    this.nodes.set(id, watched);
    watched.known = node.silence?.state;
    watched.isFenced = node.fence !== undefined;
    this.look(watched);
  }

  /** Looks at whatever time has changed since the last call. */
  catchUp(now: number): void {
    this.leases.lookForSilent();
    const { attendedSince } = this.leases;
    if (attendedSince !== this.attendedSince) {
      this.attendedSince = attendedSince;
      // All silence begins anew; that of the others is too short to tell.
      for (const node of [...this.quiet]) this.look(node);
    }
    for (const node of this.waiting.take(now)) {
      node.isWaiting = false;
      this.look(node);
    }
  }

  /** How many nodes fell silent at once, when these are too many to condemn any; else 0. */
  get spared(): number {
    return isMassSilence(this.sum) ? this.sum.overdue : 0;
  }

  /**
   * Nodes of which something new is to be written down, as it was when each was looked at last:
   * those that are heard again, and unless so many are silent those that are not.
   */
  toJudge(): readonly NodeId[] {
    const condemned = isMassSilence(this.sum) ? [] : this.toCondemn;
    return [...this.toHear, ...condemned].map(({ id }) => id);
  }

  private drop(node: Watched): void {
    this.nodes.delete(node.id);
    node.isGone = true;
    this.count(node, { counted: false, quiet: false, overdue: false });
    for (const set of [this.quiet, this.toHear, this.toCondemn]) set.delete(node);
  }

  private look(node: Watched | undefined): void {
    if (!node) return;
    const { leases, halfMs } = this;
    const { id, known, isFenced } = node;
    const silentMs = leases.silentMs(id);
    const heard = { known, isFenced, silentMs, isFresh: leases.fresh(id) };
    const { isCounted, isQuiet } = shareOf(heard, leases.leaseMs);
    const overdue = !isFenced && silentMs > leases.leaseMs;
    this.count(node, { counted: isCounted, quiet: isQuiet, overdue });
    node.halves = Math.max(0, Math.min(LOOKS_MAX, Math.ceil(silentMs / halfMs) - 1));
    keep(this.quiet, node, node.halves > 0);
    const verdict = verdictOn(heard, leases.leaseMs);
    keep(this.toHear, node, verdict === "heard");
    keep(this.toCondemn, node, verdict === "suspect" || verdict === "lost");
    if (node.halves > 0 || known) leases.awaitNode(id);
    if (node.isWaiting || node.halves === LOOKS_MAX) return;
    node.isWaiting = true;
    this.waiting.put(node);
  }

  private count({ adds }: Watched, now: Watched["adds"]): void {
    for (const what of ["counted", "quiet", "overdue"] as const) {
      this.sum[what] += Number(now[what]) - Number(adds[what]);
      adds[what] = now[what];
    }
  }
}

function newlyWatched(id: NodeId): Watched {
  const adds = { counted: false, quiet: false, overdue: false };
  const state = { known: undefined, isFenced: false, isGone: false };
  return { id, ...state, halves: 0, isWaiting: false, adds };
}

function keep(set: Set<Watched>, node: Watched, isIn: boolean): void {
  if (isIn) set.add(node);
  else set.delete(node);
}
