// Points on the ring of lots, and which of them comes first from any lot on. Knows nothing of what
// stands at the points.

/** Lots have so many bits. */
const LOT_BITS = 32;

export class Ring {
  /** The ring in equal parts, about as many as points: how many points lie before each part. */
  private readonly before: Uint32Array;
  private readonly shift: number;

  /** The points must ascend. */
  constructor(private readonly lots: Uint32Array) {
    const bits = Math.max(1, Math.ceil(Math.log2(lots.length + 1)));
    this.shift = LOT_BITS - bits;
    this.before = new Uint32Array(2 ** bits);
    let at = 0;
    for (let part = 0; part < this.before.length; part++) {
      while (at < lots.length && (lots[at] as number) >>> this.shift < part) at += 1;
      this.before[part] = at;
    }
  }

  /** Number of the first point at or behind `start`; the first of all if there is none. */
  firstFrom(start: number): number {
    const { lots } = this;
    let at = this.before[start >>> this.shift] as number;
    while (at < lots.length && (lots[at] as number) < start) at += 1;
    return at === lots.length ? 0 : at;
  }
}
