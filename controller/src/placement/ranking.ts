// Leaf groups ranked for one shape of request: a tournament tree over the best score in each, so
// that the best of all is known at once and a change costs one group and its way to the root.

import type { NodeId } from "@railyard/lib/ids";
import type { Cursor } from "./columns.js";
import { Fits, UNFIT } from "./fits.js";
import type { PlacementRequest } from "./fleet.js";
import type { Journal } from "./journal.js";
import type { LeafGroup } from "./leaf-group.js";
import { blockOf, distance, leastBroken, score } from "./preferences.js";

/** Worse than every score: no node of the leaf group fits. */
const NONE = 0xffffffff;
const NOBODY = -1;
/** In the place of a row: the request is not for this leaf group's zone or cluster. */
const ELSEWHERE = -2;
const NONE_EXCLUDED: readonly NodeId[] = [];

/** What the index lends to its rankings, until leaf groups come or go. */
export interface Around {
  /** In the order of their lots, each at its position. */
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
    (a.pinned === b.pinned || arePinnedAlike(a.pinned ?? [], b.pinned ?? []))
  );
}

type Pins = NonNullable<PlacementRequest["pinned"]>;

function arePinnedAlike(a: Pins, b: Pins): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ pair, rail }, i) => b[i]?.pair === pair && b[i]?.rail === rail);
}

/** A node's row, and the pairs to take there. */
export interface Found {
  readonly row: number;
  readonly pairs: number;
}

export class Ranking {
  private readonly request: PlacementRequest;
  private readonly fits: Fits;
  /** Of all blocks; who has it need not look further. */
  private readonly least: number;
  private readonly width: number;
  private readonly tree: Uint32Array;
  /** By position of the leaf group: a row whose block is the smallest, NOBODY, or ELSEWHERE. */
  private readonly firsts: Int32Array;
  /** The number of the next change to catch up with; before that all was looked at. */
  private next = -1;
  /** Leaf groups that were seen in part. */
  private blurred: LeafGroup[] = [];

  constructor(
    request: PlacementRequest,
    private readonly around: Around,
  ) {
    this.request = { ...request, exclude: NONE_EXCLUDED };
    this.fits = new Fits(this.request);
    this.least = leastBroken(request);
    const { length } = around.groups;
    this.width = 2 ** Math.ceil(Math.log2(Math.max(1, length)));
    this.tree = new Uint32Array(this.width * 2).fill(NONE);
    this.firsts = new Int32Array(length).fill(ELSEWHERE);
  }

  /** Catches up with what changed since it was last asked for. */
  follow(): void {
    const { journal } = this.around;
    if (journal.knows(this.next)) this.followFrom(this.next, journal);
    else this.rankAll();
    this.next = journal.next;
  }

  /** The leaf group without the nodes excluded, until the next time. */
  blur(group: LeafGroup, exclude: readonly NodeId[]): void {
    if (this.firsts[group.position] === ELSEWHERE) return;
    this.blurred.push(group);
    this.climb(group, this.lookThrough(group, exclude));
  }

  /** The best leaf group, at or after the position `start` where several are alike. */
  best(start: number): LeafGroup | undefined {
    const best = this.tree[1] as number;
    if (best === NONE) return undefined;
    return this.around.groups[this.firstFrom(start, best) ?? this.firstBelow(1, best)];
  }

  /** The best node of the leaf group, by block, then by lot from `start`. */
  bestIn(group: LeafGroup, start: number, exclude: readonly NodeId[]): Found | undefined {
    const { fits } = this;
    const { cursor } = this.around;
    const { rows, position } = group;
    const scored = this.tree[this.width + position] as number;
    if (scored === NONE) return undefined;
    const block = blockOf(scored);
    let best = NOBODY;
    let nearest = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      if (fits.blockOn(row, cursor) !== block) continue;
      const far = distance(start, cursor.lotOf(row));
      if (best !== NOBODY && far > nearest) continue;
      if (exclude.length > 0 && exclude.includes(cursor.nameOf(row))) continue;
      if (best !== NOBODY && far === nearest && cursor.nameOf(best) < cursor.nameOf(row)) continue;
      best = row;
      nearest = far;
    }
    return { row: best, pairs: fits.pairsOn(best, cursor) };
  }

  private rankAll(): void {
    for (const group of this.around.groups) {
      if (!this.concerns(group)) continue;
      const block = this.lookThrough(group, NONE_EXCLUDED);
      this.tree[this.width + group.position] = scoreOf(group, block);
    }
    for (let at = this.width - 1; at >= 1; at--) this.settle(at);
  }

  private concerns({ zone, physicalClusterId }: LeafGroup): boolean {
    const { zone: wanted, physicalClusterId: cluster } = this.request;
    return zone === wanted && (cluster === undefined || cluster === physicalClusterId);
  }

  private followFrom(first: number, journal: Journal): void {
    for (let n = first; n < journal.next; n++) this.follows(journal.groupAt(n), journal.rowAt(n));
    if (this.blurred.length === 0) return;
    const { blurred } = this;
    this.blurred = [];
    for (const group of blurred) this.climb(group, this.lookThrough(group, NONE_EXCLUDED));
  }

  /** One row changed; the others need a look only where it was the first. */
  private follows(group: LeafGroup, row: number): void {
    const at = group.position;
    const first = this.firsts[at] as number;
    if (first === ELSEWHERE) return;
    const { cursor } = this.around;
    const before = blockOf(this.tree[this.width + at] as number);
    let block = cursor.isIn(row, group) ? this.fits.blockOn(row, cursor) : UNFIT;
    if (block <= before && block !== UNFIT) this.firsts[at] = row;
    else block = first === row ? this.lookThrough(group, NONE_EXCLUDED) : before;
    this.climb(group, block);
  }

  /** The smallest block in the leaf group, or UNFIT; a row that has it becomes the first. */
  private lookThrough({ position, rows }: LeafGroup, exclude: readonly NodeId[]): number {
    const { fits } = this;
    const { cursor } = this.around;
    let first = NOBODY;
    let least = UNFIT;
    for (let i = 0; i < rows.length && least !== this.least; i++) {
      const row = rows[i] as number;
      const block = fits.blockOn(row, cursor);
      if (block >= least) continue;
      if (exclude.length > 0 && exclude.includes(cursor.nameOf(row))) continue;
      first = row;
      least = block;
    }
    this.firsts[position] = first;
    return least;
  }

  private climb(group: LeafGroup, block: number): void {
    let at = this.width + group.position;
    const now = scoreOf(group, block);
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

function scoreOf(group: LeafGroup, block: number): number {
  return block >= UNFIT ? NONE : score(block, group);
}
