// When so many machines of one cluster suddenly look unfit that the probe is the likelier culprit.
// Pure; who looks at the machines, and what becomes of the judgements held back, is not known.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import { spoilsNode } from "./declaration.js";
import type { Node } from "./node.js";

/** How long a node that turned out unfit counts against those that follow. */
export const BREAKER_WINDOW_MS = 60_000;
/** As many nodes as this may always turn out unfit together. */
export const BREAKER_NODES = 3;
/** The share of a cluster's fit nodes that may turn out unfit together. */
export const BREAKER_SHARE = 0.1;

/** What the nodes of one physical cluster turned out to be. */
export interface Turnout {
  /** Fit now or at the window's beginning: the whole that the share is of. */
  readonly fit: number;
  /** Found unfit within the window, and those whose judgement is held back for however long. */
  readonly turned: ReadonlySet<Node["id"]>;
}

/** Whether the machine is such that work could be placed there, as it was judged last. */
export function isFit({ inventory, mismatches, pairs }: Node): boolean {
  if (!inventory || mismatches.some(spoilsNode)) return false;
  return pairs.some(({ healthy }) => healthy);
}

/** As much of a node as its cluster's turnout is made of. */
export interface Standing
  extends Pick<Node, "id" | "physicalClusterId" | "retired" | "unfitSince"> {
  readonly isFit: boolean;
  /** Whether its newest judgement is held back. */
  readonly isWithheld: boolean;
}

/** What each cluster's nodes turned out to be by `now`, wall time in milliseconds. */
export function turnouts(
  nodes: Iterable<Standing>,
  now: number,
): ReadonlyMap<PhysicalClusterId, Turnout> {
  const out = new Map<PhysicalClusterId, { fit: number; turned: Set<Node["id"]> }>();
  for (const node of nodes) {
    if (node.retired) continue;
    const turnout = out.get(node.physicalClusterId) ?? { fit: 0, turned: new Set() };
    out.set(node.physicalClusterId, turnout);
    const hasTurned = node.isWithheld || isRecent(node, now);
    if (hasTurned) turnout.turned.add(node.id);
    if (hasTurned || node.isFit) turnout.fit++;
  }
  return out;
}

/** Whether so many turned out unfit that no further one is to be believed. */
export function isMassUnfit({ fit, turned }: Turnout): boolean {
  return turned.size > Math.max(BREAKER_NODES, BREAKER_SHARE * fit);
}

/** A clock that was set meanwhile must not keep a node in the window. */
function isRecent({ unfitSince }: Standing, now: number): boolean {
  return unfitSince !== undefined && Math.abs(now - unfitSince) < BREAKER_WINDOW_MS;
}
