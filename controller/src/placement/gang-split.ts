// How a gang is divided among parts, each with room for some members: among as few parts as can
// be, and of those ways at least cost. Pure combinatorics; knows neither nodes nor leaf groups.

/** Where members may go. */
export interface Part {
  readonly capacity: number;
  /** Parts of one kind are alike in capacity and costs. */
  readonly kind: number;
  /** What so many members cost here, 1 to `capacity`. */
  cost(members: number): number;
}

export interface Division {
  readonly count: number;
  /** Runs of so many stay in one part; the last run may be shorter. */
  readonly segmentSize: number;
  readonly maxParts: number;
}

export interface Share {
  /** Its position among the parts. */
  readonly part: number;
  readonly members: number;
}

export interface Split {
  /** The largest first; that with the shorter run, if there is one, last. */
  readonly shares: readonly Share[];
  readonly cost: number;
}

/** A part by how many whole segments it has room for. */
interface Ranked {
  readonly part: Part;
  readonly at: number;
  readonly segments: number;
}

/**
 * The division among the fewest parts, and among those at the least sum of costs; undefined when
 * there is none. Exact: a table over parts, how many are chosen, and by how much these stay below
 * the largest; it is small since that is never more than one part's room where parts are fewest.
 */
export function split(parts: readonly Part[], division: Division): Split | undefined {
  const ranked = byRoom(parts, division);
  const chosen = fewest(ranked, division);
  return chosen === undefined ? undefined : new Table(ranked, chosen, division).solve();
}

/** How many members fit at most, with segments whole and no more parts than allowed. */
export function mostOf(parts: readonly Pick<Part, "capacity">[], division: Division): number {
  const { segmentSize, maxParts } = division;
  const ranked = parts
    .map(({ capacity }) => ({ segments: Math.floor(capacity / segmentSize), capacity }))
    .sort((a, b) => b.segments - a.segments);
  const chosen = ranked.slice(0, maxParts);
  const last = chosen.at(-1)?.segments ?? 0;
  const whole = chosen.reduce((sum, { segments }) => sum + segments, 0);
  // Of those that are alike in segments any may be chosen for what it has beside them.
  const beside = ranked
    .filter(({ segments }) => segments >= last)
    .reduce((most, { capacity }) => Math.max(most, capacity % segmentSize), 0);
  return whole * segmentSize + beside;
}

function restOf({ count, segmentSize }: Division): number {
  return count % segmentSize;
}

/** Those that can take anything, the roomiest first, otherwise in the order given. */
function byRoom(parts: readonly Part[], division: Division): readonly Ranked[] {
  const least = restOf(division) || division.segmentSize;
  return parts
    .map((part, at) => ({ part, at, segments: Math.floor(part.capacity / division.segmentSize) }))
    .filter(({ part }) => part.capacity >= least)
    .sort((a, b) => b.segments - a.segments);
}

/** The least number of parts that hold everything. */
function fewest(ranked: readonly Ranked[], division: Division): number | undefined {
  const { count, segmentSize, maxParts } = division;
  const rest = restOf(division);
  const whole = Math.floor(count / segmentSize);
  // The roomiest that has room for the shorter run beside its whole segments.
  const host = ranked.findIndex(({ part }) => part.capacity % segmentSize >= rest);
  let before = 0;
  for (const [i, { segments }] of ranked.entries()) {
    if (i >= maxParts) return undefined;
    const all = before + segments;
    const hosted = host < 0 ? -1 : host <= i ? all : before + (ranked[host]?.segments ?? 0);
    if (all >= whole + (rest > 0 ? 1 : 0) || hosted >= whole) return i + 1;
    before = all;
  }
  return undefined;
}

/** Of each kind no more than are chosen at all; the first of them win what ties. */
function worthALook(ranked: readonly Ranked[], chosen: number): readonly Ranked[] {
  const seen = new Map<number, number>();
  return ranked.filter(({ part: { kind } }) => {
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return before < chosen;
  });
}

/** What taking so many whole segments costs, and with the shorter run beside them. */
interface Menu {
  readonly plain: Float64Array;
  readonly hosting: Float64Array;
}

const NEVER = Number.POSITIVE_INFINITY;

class Table {
  private readonly rest: number;
  private readonly looked: readonly Ranked[];
  /** By rank, the segments of the roomiest parts, as many as are chosen. */
  private readonly roomiest: readonly number[];
  /** Segments by which their room, all of it, is more than what is needed. */
  private readonly slack: number;
  private readonly size: number;
  /** By state: the least cost of getting there. */
  private readonly costs: Float64Array;
  /** By part and state: how that part got there, see `code`; 0 when it did not. */
  private readonly steps: Int32Array;

  constructor(
    ranked: readonly Ranked[],
    private readonly chosen: number,
    private readonly division: Division,
  ) {
    const { count, segmentSize } = division;
    this.rest = restOf(division);
    this.roomiest = ranked.slice(0, chosen).map(({ segments }) => segments);
    this.slack = this.roomiest.reduce((a, b) => a + b, 0) - Math.floor(count / segmentSize);
    const least = (this.roomiest.at(-1) ?? 0) - this.slack;
    this.looked = worthALook(ranked, chosen).filter(({ segments }) => segments >= least);
    this.size = (this.rest > 0 ? 2 : 1) * (chosen + 1) * (this.slack + 1);
    this.costs = new Float64Array(this.size).fill(NEVER);
    this.steps = new Int32Array(this.size * this.looked.length);
  }

  solve(): Split {
    this.costs[this.state(0, 0, this.rest === 0)] = 0;
    for (const [i, ranked] of this.looked.entries()) {
      const menu = this.menuOf(ranked);
      // What this part adds must not be built on by it again: the most chosen ones first.
      for (let k = Math.min(i, this.chosen - 1); k >= 0; k--) this.extend(k, i, menu);
    }
    const end = this.state(this.chosen, this.slack, true);
    return { shares: this.shares(), cost: this.costs[end] as number };
  }

  private menuOf({ part, segments }: Ranked): Menu {
    const { segmentSize } = this.division;
    const plain = new Float64Array(segments + 1).fill(NEVER);
    for (let n = 1; n <= segments; n++) plain[n] = part.cost(n * segmentSize);
    if (this.rest === 0) return { plain, hosting: plain };
    const hosting = new Float64Array(segments + 1).fill(NEVER);
    for (let n = 0; n * segmentSize + this.rest <= part.capacity; n++) {
      hosting[n] = part.cost(n * segmentSize + this.rest);
    }
    return { plain, hosting };
  }

  /** Every way to add part `i` to `k` others. */
  private extend(k: number, i: number, { plain, hosting }: Menu): void {
    for (let behind = 0; behind <= this.slack; behind++) {
      const from = { k, i, behind };
      const placed = this.costs[this.state(k, behind, true)] as number;
      if (placed !== NEVER) this.relax(from, plain, { base: placed, hosted: true, hosts: false });
      const open = this.rest > 0 ? (this.costs[this.state(k, behind, false)] as number) : NEVER;
      if (open === NEVER) continue;
      this.relax(from, plain, { base: open, hosted: false, hosts: false });
      this.relax(from, hosting, { base: open, hosted: true, hosts: true });
    }
  }

  private relax({ k, i, behind }: From, menu: Float64Array, { base, hosted, hosts }: How): void {
    const { costs, steps, slack } = this;
    const roomiest = this.roomiest[k] as number;
    const to = this.state(k + 1, behind + roomiest, hosted);
    const step = i * this.size + to;
    const least = Math.max(0, roomiest + behind - slack);
    for (let n = menu.length - 1; n >= least; n--) {
      const cost = base + (menu[n] as number);
      if (cost >= (costs[to - n] as number)) continue;
      costs[to - n] = cost;
      steps[step - n] = code(n, hosts);
    }
  }

  private shares(): readonly Share[] {
    const { segmentSize } = this.division;
    const shares: Share[] = [];
    let last: Share | undefined;
    let k = this.chosen;
    let behind = this.slack;
    let hosted = true;
    for (let i = this.looked.length - 1; k > 0 && i >= 0; i--) {
      const step = this.steps[i * this.size + this.state(k, behind, hosted)] as number;
      if (step === 0) continue;
      const { segments, hosts } = decoded(step);
      k -= 1;
      behind -= (this.roomiest[k] as number) - segments;
      const members = segments * segmentSize + (hosts ? this.rest : 0);
      const share = { part: this.looked[i]?.at ?? 0, members };
      if (hosts) last = share;
      else shares.push(share);
      hosted &&= !hosts;
    }
    shares.sort((a, b) => b.members - a.members || a.part - b.part);
    return last ? [...shares, last] : shares;
  }

  /** `k` parts chosen, `behind` segments less than the `k` roomiest, the shorter run placed. */
  private state(k: number, behind: number, hosted: boolean): number {
    const before = hosted && this.rest > 0 ? this.chosen + 1 : 0;
    return (before + k) * (this.slack + 1) + behind;
  }
}

/** So many parts chosen before, the part at hand, and how far these are behind the roomiest. */
interface From {
  readonly k: number;
  readonly i: number;
  readonly behind: number;
}

interface How {
  readonly base: number;
  /** Whether the shorter run is placed then. */
  readonly hosted: boolean;
  /** Whether it is placed here. */
  readonly hosts: boolean;
}

function code(segments: number, hosts: boolean): number {
  return segments * 2 + (hosts ? 2 : 1);
}

function decoded(step: number): { readonly segments: number; readonly hosts: boolean } {
  return { segments: (step - 1) >> 1, hosts: step % 2 === 0 };
}
