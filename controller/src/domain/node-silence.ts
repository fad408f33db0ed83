// How long silence is judged: when a node is suspect, when it is lost, and when so many fall silent
// together that the listener is the likelier culprit. Pure; who measures the silence is not known.
import type { NodeSilence } from "./node.js";

/** After how many lease times without a sign of life a silent node counts as lost. */
export const LOST_LEASES = 3;
/** Fewer silent nodes than this are never "most of the fleet". */
export const BREAKER_NODES_MIN = 3;
/**
 * The share of a lease after which a node counts as fallen silent with the others: leases that were
 * renewed last before one common moment run out one after the other. A lease is longer than two
 * heartbeats. All other bounds of silence are multiples of it.
 */
export const QUIET_SHARE = 0.5;
/** The share of the fleet that may fall silent together before nobody is condemned. */
export const BREAKER_SHARE = 0.5;

/** Where a node stands that was not heard for `silentMs`; undefined while its lease runs. */
export function silenceAfter(silentMs: number, leaseMs: number): NodeSilence["state"] | undefined {
  if (silentMs <= leaseMs) return undefined;
  return silentMs > LOST_LEASES * leaseMs ? "lost" : "suspect";
}

/** One registered node. */
export interface Heard {
  /** As written down. */
  readonly known: NodeSilence["state"] | undefined;
  readonly isFenced: boolean;
  /** For how long it was silent while it was listened for. */
  readonly silentMs: number;
  /** Whether its lease runs: not to have listened for long is no sign of life. */
  readonly isFresh: boolean;
}

/** What is to be written down about the node; undefined when nothing is new. */
export function verdictOn(
  { known, isFenced, silentMs, isFresh }: Heard,
  leaseMs: number,
): NodeSilence["state"] | "heard" | undefined {
  if (isFresh) return known && "heard";
  const now = silenceAfter(silentMs, leaseMs);
  return isFenced || known === "lost" || known === now ? undefined : now;
}

/** What a node adds to the fleet's silence; fenced nodes add nothing. */
export interface Share {
  /** Nodes that were lost before are left out: a yard may lose its nodes one by one. */
  readonly isCounted: boolean;
  readonly isQuiet: boolean;
}

export function shareOf({ known, isFenced, silentMs }: Heard, leaseMs: number): Share {
  const isCounted = !isFenced && known !== "lost";
  return { isCounted, isQuiet: isCounted && silentMs > QUIET_SHARE * leaseMs };
}

/** Whether so many of these nodes are silent at once that none may be condemned for it. */
export function isMassSilence(fleet: {
  readonly counted: number;
  readonly quiet: number;
}): boolean {
  const { counted, quiet } = fleet;
  return quiet >= BREAKER_NODES_MIN && quiet > BREAKER_SHARE * counted;
}
