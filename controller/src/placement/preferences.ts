// The soft preferences among nodes that fit, each by name, and how what still ties is decided: the
// previous host, then its leaf group, then what keeps whole nodes whole, then started leaf groups,
// the fullest first; then by lot.
import type { NodeFacts } from "./facts.js";
import type { PlacementRequest } from "./fleet.js";
import type { Bundle, Make } from "./make.js";
import { fitsApart, suits } from "./rules.js";

/** What is in use of one leaf group. */
export interface GroupUse {
  /** Nodes with a pair that is taken. */
  readonly started: number;
  /** Nodes that are wholly free. */
  readonly wholeFree: number;
}

/**
 * Keep whole nodes whole: the size of the free block that the bundle breaks up, which is that of
 * the bundle itself where nothing is broken. Lower is better.
 */
export function broken(node: NodeFacts, bundle: Bundle): number {
  for (const around of node.make.bundles) {
    const within = (bundle.pairs & ~around.pairs) === 0;
    if (within && (around.pairs & ~node.free) === 0) return around.size;
  }
  return bundle.size;
}

export interface Fitting {
  /** 0 for what needs no GPU. */
  readonly pairs: number;
  readonly broken: number;
}

/**
 * The bundle to take on the node, and the size of the block that it breaks up; undefined when the
 * node does not fit. Without GPUs a node counts as broken up when nothing of it is taken.
 */
export function fitting(node: NodeFacts, request: PlacementRequest): Fitting | undefined {
  return fitsApart(node, request) ? fittingOf(node, request) : undefined;
}

/** The same of a node that passes every rule but those on bundles; follows from its pairs alone. */
export function fittingOf(node: NodeFacts, request: PlacementRequest): Fitting | undefined {
  const { make, free } = node;
  if (request.gpuCount === 0) {
    return { pairs: 0, broken: make.pairs !== 0 && free === make.pairs ? 1 : 0 };
  }
  let best: Fitting | undefined;
  for (const bundle of make.bySize.get(request.gpuCount) ?? []) {
    if (!suits(node, bundle, request)) continue;
    const block = broken(node, bundle);
    if (!best || block < best.broken) best = { pairs: bundle.pairs, broken: block };
  }
  return best;
}

/** The smallest block that any node could have broken up for the request: see `fitting`. */
export function leastBroken({ gpuCount }: PlacementRequest): number {
  return gpuCount;
}

/** The blocks that nodes of these makes could break up for the request, the smallest first. */
export function blocksFor(
  { gpuCount }: PlacementRequest,
  makes: readonly Make[],
): readonly number[] {
  if (gpuCount === 0) return [0, 1];
  const sizes = new Set(makes.flatMap(({ sizes }) => [...sizes]));
  return [...sizes].filter((size) => size >= gpuCount).sort((a, b) => a - b);
}

const BROKEN_AT = 17;
const UNSTARTED_AT = 16;
const WHOLE_FREE_MAX = 0xffff;

/**
 * Everything but the lot as one number, lower is better: broken block, then started leaf groups
 * first, then those with the fewest whole nodes left.
 */
export function score(block: number, group: GroupUse): number {
  return scoreOf(block, useOf(group));
}

/** The same of what `useOf` said. */
export function scoreOf(block: number, use: number): number {
  return (block << BROKEN_AT) | use;
}

/** All of the score that a leaf group adds, as one number. */
export function useOf({ started, wholeFree }: GroupUse): number {
  const unstarted = started === 0 ? 1 : 0;
  return (unstarted << UNSTARTED_AT) | Math.min(wholeFree, WHOLE_FREE_MAX);
}

/** The block that the score was made of. */
export function blockOf(scored: number): number {
  return scored >>> BROKEN_AT;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A point on the ring of lots: FNV-1a, then MurmurHash3's finish so that like names part. */
export function lot(text: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** How far `to` lies behind `from` on the ring; the nearest wins. */
export function distance(from: number, to: number): number {
  return (to - from) >>> 0;
}
