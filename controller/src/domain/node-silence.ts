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
 * heartbeats.
 */
const QUIET_SHARE = 0.5;
/** The share of the fleet that may fall silent together before nobody is condemned. */
export const BREAKER_SHARE = 0.5;

/** Where a node stands that was not heard for `silentMs`; undefined while its lease runs. */
export function silenceAfter(silentMs: number, leaseMs: number): NodeSilence["state"] | undefined {
  if (silentMs <= leaseMs) return undefined;
  return silentMs > LOST_LEASES * leaseMs ? "lost" : "suspect";
}

/** One registered node that is not fenced. */
export interface Heard {
  /** As written down. */
  readonly known: NodeSilence["state"] | undefined;
  readonly silentMs: number;
}

/**
 * Whether so many nodes are silent at once that none may be condemned for it. Nodes that were lost
 * before are left out: a yard may lose its nodes one by one.
 */
export function isMassSilence(fleet: readonly Heard[], leaseMs: number): boolean {
  const counted = fleet.filter(({ known }) => known !== "lost");
  const quiet = counted.filter(({ silentMs }) => silentMs > QUIET_SHARE * leaseMs).length;
  return quiet >= BREAKER_NODES_MIN && quiet > BREAKER_SHARE * counted.length;
}
