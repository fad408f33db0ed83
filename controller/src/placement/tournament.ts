// The least of many numbers and where it is: a tree of the least of thirty-two, of thirty-two of
// those, and so on. A change costs a step or two; what became larger is settled when it is asked
// for, and only where it could be the least of all. Knows nothing of what the numbers are.

const FAN_BITS = 5;
const FAN = 2 ** FAN_BITS;
/** Stands where there is no number; larger than each. */
const NOTHING = 0x7fffffff;
const UNSETTLED = -1;

export class Tournament {
  /** Level by level, the numbers first; then, of each thirty-two below, what none is less than. */
  private readonly values: Int32Array;
  /** For each above the numbers: which below equal it; none: less than all, not settled yet. */
  private readonly masks: Int32Array;
  /** Where each level begins; all but the root's are whole thirty-twos. */
  private readonly starts: readonly number[];
  private readonly root: number;

  /** With room for so many numbers, each `first` as yet; they are below 2^31 - 1. */
  constructor(count: number, first: number) {
    const starts = [0];
    let size = whole(count);
    let all = size;
    for (; size > 1; all += size) {
      starts.push(all);
      size = size > FAN ? whole(size / FAN) : 1;
    }
    this.starts = starts;
    this.root = all - 1;
    this.values = new Int32Array(all).fill(NOTHING);
    this.values.fill(first, 0, count);
    this.masks = new Int32Array(all - whole(count));
    for (let level = 1; level < starts.length; level++) {
      const width = (starts[level] as number) - (starts[level - 1] as number);
      for (let at = 0; at < width; at += FAN) this.settle(level, at >> FAN_BITS);
    }
  }

  /** The number at the position. */
  at(position: number): number {
    return this.values[position] as number;
  }

  set(position: number, value: number): void {
    if (this.values[position] === value) return;
    this.values[position] = value;
    this.tell(0, position);
  }

  /** The first position with the least of all at or after `start`; the first of all if none is. */
  leastFrom(start: number): number {
    for (;;) {
      const found = this.search(start);
      if (found !== UNSETTLED) return found;
    }
  }

  /** Tells those above that the value there became another. */
  private tell(from: number, position: number): void {
    const { values, masks, starts } = this;
    const numbers = starts[1] as number;
    const value = values[(starts[from] as number) + position] as number;
    let at = position;
    for (let level = from + 1; level < starts.length; level++) {
      const bit = 1 << at;
      at >>= FAN_BITS;
      const up = (starts[level] as number) + at;
      const mask = masks[up - numbers] as number;
      const least = values[up] as number;
      if (value >= least) {
        masks[up - numbers] = value === least ? mask | bit : mask & ~bit;
        return;
      }
      masks[up - numbers] = bit;
      values[up] = value;
    }
  }

  /** See `leastFrom`; or UNSETTLED, and one of those that were in the way is settled now. */
  private search(start: number): number {
    const { values, masks, starts } = this;
    const least = values[this.root];
    const numbers = starts[1] as number;
    let after = -1 << start;
    let at = start >> FAN_BITS;
    for (let level = 1; level < starts.length; level++) {
      const up = (starts[level] as number) + at;
      const found = values[up] === least ? (masks[up - numbers] as number) & after : 0;
      if (found !== 0) return this.descend(level - 1, (at << FAN_BITS) + lowest(found));
      after = -2 << at;
      at >>= FAN_BITS;
    }
    return this.descend(starts.length - 1, 0);
  }

  /** The first of the numbers below that equals it; UNSETTLED as with `search`. */
  private descend(from: number, position: number): number {
    const { masks, starts } = this;
    const numbers = starts[1] as number;
    let at = position;
    for (let level = from; level > 0; level--) {
      const mask = masks[(starts[level] as number) + at - numbers] as number;
      if (mask === 0) {
        this.settle(level, at);
        this.tell(level, at);
        return UNSETTLED;
      }
      at = (at << FAN_BITS) + lowest(mask);
    }
    return at;
  }

  /** Finds the least of the thirty-two below. */
  private settle(level: number, at: number): void {
    const { values } = this;
    const up = (this.starts[level] as number) + at;
    const first = (this.starts[level - 1] as number) + (at << FAN_BITS);
    let least = NOTHING;
    let mask = 0;
    for (let i = 0; i < FAN; i++) {
      const value = values[first + i] as number;
      if (value < least) {
        least = value;
        mask = 0;
      }
      if (value === least) mask |= 1 << i;
    }
    values[up] = least;
    this.masks[up - (this.starts[1] as number)] = mask;
  }
}

/** Number of the lowest bit that is set. */
export function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

function whole(count: number): number {
  return Math.max(1, Math.ceil(count / FAN)) * FAN;
}
