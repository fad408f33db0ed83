// Leaf groups ranked for one shape of request: a tournament tree over the best score in each, so
// that the best of all is known at once and a change costs one group and its way to the root.

import type { NodeId } from "@railyard/lib/ids";
import type { Cursor } from "./columns.js";
import { Fits } from "./fits.js";
import type { PlacementRequest } from "./fleet.js";
import type { Change, Journal } from "./journal.js";
import type { LeafGroup } from "./leaf-group.js";
import { distance, type Fitting, leastBroken, score } from "./preferences.js";

/** Worse than every score: no node of the leaf group fits. */
const NONE = 0xffffffff;
const NOBODY = -1;
const NONE_EXCLUDED: readonly NodeId[] = [];

/** What the index lends to its rankings. */
export interface Around {
  /** In the order of their lots. */
  readonly groups: readonly LeafGroup[];
  readonly journal: Journal;
  readonly cursor: Cursor;
}

/** Whether requests are of one shape: these are answered from one ranking. */
export function isOneShape(a: PlacementRequest, b: PlacementRequest): boolean {
  return (
    a.gpuCount === b.gpuCount &&
    a.attachmentCount === b.attachmentCount &&
    a.rails === b.rails &&
    a.vcpu === b.vcpu &&
    a.memoryMib === b.memoryMib &&
    a.diskGib === b.diskGib &&
    a.gpuModel === b.gpuModel &&
    a.zone === b.zone &&
    a.physicalClusterId === b.physicalClusterId &&
    arePinnedAlike(a.pinned ?? [], b.pinned ?? [])
  );
}

type Pins = NonNullable<PlacementRequest["pinned"]>;

function arePinnedAlike(a: Pins, b: Pins): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ pair, rail }, i) => b[i]?.pair === pair && b[i]?.rail === rail);
}

export class Ranking {
  readonly fits: Fits;
  private readonly request: PlacementRequest;
  private tree = new Uint32Array(0);
  private width = 0;
  /** By position of the leaf group: a row whose block is the smallest there, or NOBODY. */
  private firsts = new Int32Array(0);
  /** By position: the smallest block. */
  private blocks = new Uint8Array(0);
  private seen = -1;
  /** Leaf groups to look through again: whose first is no more, or that were seen in part. */
  private readonly unsure = new Set<LeafGroup>();

  constructor(request: PlacementRequest) {
    this.request = { ...request, exclude: NONE_EXCLUDED };
    this.fits = new Fits(this.request);
  }

  /** Catches up with what changed since it was last asked for. */
  follow({ groups, journal, cursor }: Around): void {
    const changed = this.width > 0 ? journal.since(this.seen) : undefined;
    if (!changed) this.rankAll(groups, cursor);
    for (const change of changed ?? []) this.follows(change, cursor);
    this.seen = journal.next;
    for (const group of this.unsure) this.rank(group, cursor);
    this.unsure.clear();
  }

  /** The leaf group without the nodes excluded, until the next time. */
  blur(group: LeafGroup, cursor: Cursor, exclude: readonly NodeId[]): void {
    this.unsure.add(group);
    this.lookThrough(group, cursor, exclude);
    this.climb(group);
  }

  /** The position of the best leaf group, at or after `start` where several are alike. */
  best(start: number): number | undefined {
    const best = this.tree[1] as number;
    if (this.width === 0 || best === NONE) return undefined;
    return this.firstFrom(start, best) ?? this.firstBelow(1, best);
  }

  private rankAll(groups: readonly LeafGroup[], cursor: Cursor): void {
    this.width = 1;
    while (this.width < groups.length) this.width *= 2;
    this.tree = new Uint32Array(this.width * 2).fill(NONE);
    this.firsts = new Int32Array(groups.length).fill(NOBODY);
    this.blocks = new Uint8Array(groups.length);
    for (const group of groups) {
      if (!this.concerns(group)) continue;
      this.lookThrough(group, cursor, NONE_EXCLUDED);
      this.tree[this.width + group.position] = this.scoreOf(group);
    }
    for (let at = this.width - 1; at >= 1; at--) this.settle(at);
  }

  private concerns({ zone, physicalClusterId }: LeafGroup): boolean {
    const { zone: wanted, physicalClusterId: cluster } = this.request;
    return zone === wanted && (cluster === undefined || cluster === physicalClusterId);
  }

  /** One row changed; the others need a look only where it was the first. */
  private follows({ group, row }: Change, cursor: Cursor): void {
    if (!this.concerns(group) || this.unsure.has(group)) return;
    const at = group.position;
    cursor.row = row;
    const there = cursor.isIn(group);
    const fits = there ? this.fits.of(cursor, NONE_EXCLUDED) : undefined;
    const first = this.firsts[at] as number;
    const isFirst = first === row;
    if (fits && (first === NOBODY || fits.broken <= (this.blocks[at] as number))) {
      this.firsts[at] = row;
      this.blocks[at] = fits.broken;
    } else if (isFirst) {
      this.unsure.add(group);
      return;
    }
    this.climb(group);
  }

  private rank(group: LeafGroup, cursor: Cursor): void {
    if (!this.concerns(group)) return;
    this.lookThrough(group, cursor, NONE_EXCLUDED);
    this.climb(group);
  }

  private lookThrough(group: LeafGroup, cursor: Cursor, exclude: readonly NodeId[]): void {
    const least = leastBroken(this.request);
    let first = NOBODY;
    let block = 0;
    for (const row of group.rows) {
      cursor.row = row;
      const fits = this.fits.of(cursor, exclude);
      if (!fits || (first !== NOBODY && block <= fits.broken)) continue;
      first = row;
      block = fits.broken;
      if (block === least) break;
    }
    this.firsts[group.position] = first;
    this.blocks[group.position] = block;
  }

  private scoreOf(group: LeafGroup): number {
    const at = group.position;
    if (this.firsts[at] === NOBODY) return NONE;
    return score(this.blocks[at] as number, group);
  }

  private climb(group: LeafGroup): void {
    let at = this.width + group.position;
    const now = this.scoreOf(group);
    if (this.tree[at] === now) return;
    this.tree[at] = now;
    for (at >>= 1; at >= 1; at >>= 1) if (!this.settle(at)) return;
  }

  /** Whether it became another. */
  private settle(at: number): boolean {
    const { tree } = this;
    const left = tree[at * 2] as number;
    const right = tree[at * 2 + 1] as number;
    const before = tree[at];
    const now = Math.min(left, right);
    tree[at] = now;
    return now !== before;
  }

  /** The first leaf at or after `start` with this score, which is the best of all. */
  private firstFrom(start: number, best: number): number | undefined {
    let at = this.width + start;
    if (start >= this.width) return undefined;
    if (this.tree[at] === best) return start;
    for (; at > 1; at >>= 1) {
      if (at % 2 === 0 && this.tree[at + 1] === best) return this.firstBelow(at + 1, best);
    }
    return undefined;
  }

  private firstBelow(from: number, best: number): number {
    let at = from;
    while (at < this.width) at = this.tree[at * 2] === best ? at * 2 : at * 2 + 1;
    return at - this.width;
  }
}

/** The row of the best node of the leaf group, by block, then by lot from `start`. */
export function bestOf(
  group: LeafGroup,
  cursor: Cursor,
  { fits, request, start }: Within,
): (Fitting & { readonly row: number }) | undefined {
  let best: Fitting | undefined;
  let bestRow = NOBODY;
  let nearest = 0;
  const least = leastBroken(request);
  for (const row of group.rows) {
    cursor.row = row;
    const far = distance(start, cursor.lot);
    // Cannot win any more, whether it fits or not.
    if (best?.broken === least && far > nearest) continue;
    const found = fits.of(cursor, request.exclude);
    if (!found) continue;
    const order = best ? found.broken - best.broken || far - nearest : -1;
    if (order > 0 || (order === 0 && !cursor.isNamedBefore(bestRow))) continue;
    best = found;
    bestRow = row;
    nearest = far;
  }
  return best && { row: bestRow, ...best };
}

export interface Within {
  readonly fits: Fits;
  readonly request: PlacementRequest;
  /** From where lots are drawn. */
  readonly start: number;
}
