// Leaf groups ranked for one shape of request: a tournament over the best score in each, so that
// the best of all is known at once. A change costs one mark, its leaf group's score, and the way
// up.
import type { Cursor } from "./columns.js";
import { Fits, UNFIT, UNKNOWN } from "./fits.js";
import type { Exceptions, PlacementRequest } from "./fleet.js";
import type { Journal } from "./journal.js";
import { type LeafGroup, MARK_BITS, MARKS } from "./leaf-group.js";
import type { Make } from "./make.js";
import { blockOf, blocksFor, distance, scoreOf, useOf } from "./preferences.js";
import { lowest, Tournament } from "./tournament.js";

/** Worse than every score: no node of the leaf group fits. */
const NONE = scoreOf(UNFIT, 0);
/** Worse still: the request is not for this leaf group's zone or cluster. */
const ELSEWHERE = NONE + 1;
const NO_EXCEPTIONS: Exceptions = { exclude: [] };

/** What the index lends to its rankings, until leaf groups come or go. */
export interface Around {
  /** In the order of their lots, each at its position. */
  readonly groups: readonly LeafGroup[];
  readonly journal: Journal;
  readonly cursor: Cursor;
  /** Those there are; more may come. */
  readonly makes: readonly Make[];
}

/** Whether requests are of one shape: these are answered from one ranking. */
export function isOneShape(a: PlacementRequest, b: PlacementRequest): boolean {
  return (
    a.gpuCount === b.gpuCount &&
    a.attachmentCount === b.attachmentCount &&
    a.rails === b.rails &&
    a.usable === b.usable &&
    a.vcpu === b.vcpu &&
    a.memoryMib === b.memoryMib &&
    a.diskGib === b.diskGib &&
    a.gpuModel === b.gpuModel &&
    a.zone === b.zone &&
    a.physicalClusterId === b.physicalClusterId &&
    (a.pinned === b.pinned || arePinnedAlike(a.pinned ?? [], b.pinned ?? []))
  );
}

/** Alike for requests of one shape, and mostly another for others. */
export function hashOfShape(request: PlacementRequest): number {
  const { gpuCount, attachmentCount, rails, vcpu, memoryMib, diskGib } = request;
  let hash = Math.imul(gpuCount, SPREAD) ^ attachmentCount;
  hash = Math.imul(hash, SPREAD) ^ (rails ?? 0);
  hash = Math.imul(hash, SPREAD) ^ vcpu;
  hash = Math.imul(hash, SPREAD) ^ memoryMib;
  return Math.imul(hash, SPREAD) ^ diskGib;
}

/** Odd, its bits well mixed: 2^32 by the golden ratio. */
const SPREAD = 0x9e3779b1;

type Pins = NonNullable<PlacementRequest["pinned"]>;

function arePinnedAlike(a: Pins, b: Pins): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ pair, rail }, i) => b[i]?.pair === pair && b[i]?.rail === rail);
}

export class Ranking {
  private readonly request: PlacementRequest;
  private readonly fits: Fits;
  /** By position of the leaf group: its score, NONE, or ELSEWHERE. */
  private readonly scores: Tournament;
  /** How many makes there were when `blocks` was made. */
  private makes = 0;
  /** The blocks that nodes can break up, the smallest first. */
  private blocks: readonly number[] = [];
  /** By block, bit l for where it is in `blocks`; nothing for UNFIT. */
  private readonly levels = new Int32Array(UNFIT + 1);
  /** By position of the leaf group and level: bit m is set if a row at mark m offers the block. */
  private marks = new Int32Array(0);
  /** The number of the next change to catch up with; before that all was looked at. */
  private next = -1;
  /** Leaf groups that were seen in part. */
  private blurred: LeafGroup[] = [];

  constructor(
    request: PlacementRequest,
    private readonly around: Around,
  ) {
    this.request = { ...request, ...NO_EXCEPTIONS, crowded: undefined };
    this.fits = new Fits(this.request);
    this.scores = new Tournament(around.groups.length, ELSEWHERE);
  }

  /** Catches up with what changed since it was last asked for. */
  follow(): void {
    const { journal, makes } = this.around;
    if (!journal.knows(this.next) || this.makes !== makes.length) this.rankAll();
    else this.followFrom(this.next);
    this.next = journal.next;
    while (this.blurred.length > 0) this.lookThrough(this.blurred.pop() as LeafGroup);
  }

  /** The leaf group with what is said of its nodes by name, until the next time. */
  blur(group: LeafGroup, except: Exceptions): void {
    if (this.scores.at(group.position) === ELSEWHERE) return;
    this.blurred.push(group);
    this.lookThrough(group, except);
  }

  /** The best leaf group, at or after the position `start` where several are alike. */
  best(start: number): LeafGroup | undefined {
    const position = this.scores.leastFrom(start);
    return this.scores.at(position) < NONE ? this.around.groups[position] : undefined;
  }

  /** The row of the leaf group's best node, by block, then by lot from `start`; if any fits. */
  bestIn(group: LeafGroup, start: number, except: Exceptions): number | undefined {
    const { cursor } = this.around;
    const { rows, position } = group;
    const scored = this.scores.at(position);
    if (scored >= NONE) return undefined;
    const block = blockOf(scored);
    let best: number | undefined;
    let nearest = 0;
    const level = lowest(this.levels[block] as number);
    let left = this.marks[position * this.blocks.length + level] as number;
    for (; left !== 0; left &= left - 1) {
      for (let i = lowest(left); i < rows.length; i += MARKS) {
        const row = rows[i] as number;
        if (rows.length > MARKS && this.blockOn(row, except) !== block) continue;
        const far = distance(start, cursor.lotOf(row));
        if (best !== undefined && far > nearest) continue;
        if (best !== undefined && far === nearest && cursor.nameOf(best) < cursor.nameOf(row)) {
          continue;
        }
        best = row;
        nearest = far;
      }
    }
    return best;
  }

  /** The pairs to take on the row's node, which fits. */
  pairsOn(row: number): number {
    return this.fits.pairsOn(row, this.around.cursor);
  }

  private rankAll(): void {
    const { makes, groups } = this.around;
    this.makes = makes.length;
    this.blocks = blocksFor(this.request, makes);
    this.levels.fill(0);
    for (const [level, block] of this.blocks.entries()) this.levels[block] = 1 << level;
    this.marks = new Int32Array(groups.length * this.blocks.length);
    for (const group of groups) if (this.concerns(group)) this.lookThrough(group);
  }

  private concerns({ zone, physicalClusterId }: LeafGroup): boolean {
    const { zone: wanted, physicalClusterId: cluster } = this.request;
    return zone === wanted && (cluster === undefined || cluster === physicalClusterId);
  }

  private followFrom(first: number): void {
    const { journal, groups } = this.around;
    const { entries, next } = journal;
    const { scores, fits, levels } = this;
    for (let n = first; n < next; n++) {
      const at = journal.indexOf(n);
      const where = entries[at] as number;
      const position = where >> MARK_BITS;
      if (scores.at(position) === ELSEWHERE) continue;
      const mark = where & (MARKS - 1);
      const block = fits.blockOf(entries[at + 1] as number);
      // What is there now is seen early if it changed again: that change is yet to come.
      const offered =
        block === UNKNOWN
          ? this.offeredAt(groups[position] as LeafGroup, mark)
          : (levels[block] as number);
      this.rate(position, this.put(position, mark, offered), entries[at + 2] as number);
    }
  }

  /** Looks at every row of the leaf group. */
  private lookThrough(group: LeafGroup, except = NO_EXCEPTIONS): void {
    const { position } = group;
    let best = 0;
    for (let mark = 0; mark < MARKS; mark++) {
      best = this.put(position, mark, this.offeredAt(group, mark, except));
    }
    this.rate(position, best, useOf(group));
  }

  /** Levels of the blocks that the rows at the mark offer, bit l for level l. */
  private offeredAt({ rows }: LeafGroup, mark: number, except = NO_EXCEPTIONS): number {
    let offered = 0;
    for (let i = mark; i < rows.length; i += MARKS) {
      offered |= this.levels[this.blockOn(rows[i] as number, except)] as number;
    }
    return offered;
  }

  private blockOn(row: number, { exclude, crowded }: Exceptions): number {
    const { cursor } = this.around;
    const block = this.fits.blockOn(row, cursor);
    if (exclude.length === 0 && crowded === undefined) return block;
    const name = cursor.nameOf(row);
    return exclude.includes(name) || crowded?.get(name) === 0 ? UNFIT : block;
  }

  /** At the mark these levels are offered; the best one that is at any mark of the leaf group. */
  private put(position: number, mark: number, offered: number): number {
    const { marks } = this;
    const { length } = this.blocks;
    const first = position * length;
    let best = length;
    for (let level = length - 1; level >= 0; level--) {
      const others = (marks[first + level] as number) & ~(1 << mark);
      const all = others | (((offered >> level) & 1) << mark);
      marks[first + level] = all;
      if (all !== 0) best = level;
    }
    return best;
  }

  private rate(position: number, level: number, use: number): void {
    const { blocks } = this;
    const now = level < blocks.length ? scoreOf(blocks[level] as number, use) : NONE;
    this.scores.set(position, now);
  }
}
