// A timing wheel: what falls due at a time of its own that keeps moving later, as leases do that
// are renewed. A renewal costs nothing here: a thing is asked for its time only when the slot comes
// up that it was put into. Knows neither a clock nor what falls due.

/** Parts that the span is divided into. */
const SLOTS = 256;

export interface DueTimesOptions<T> {
  /**
   * How far ahead of now things fall due, milliseconds. What falls due later is only asked more
   * often.
   */
  readonly spanMs: number;
  /**
   * When the thing falls due, on the same clock as `take`'s `now`. Never earlier than it said when
   * it was put in; Infinity: never, it is let go.
   */
  readonly dueAt: (thing: T) => number;
}

interface Soon<T> {
  readonly thing: T;
  /** What it said; it may fall due later by now. */
  readonly at: number;
}

export class DueTimes<T> {
  private readonly slotMs: number;
  private readonly dueAt: (thing: T) => number;
  private readonly slots: T[][] = Array.from({ length: SLOTS }, () => []);
  /** Of the slot that has come up and those before it, the first to fall due last. */
  private soon: Soon<T>[] = [];
  private isSorted = true;
  /** The slot that has come up, counted from time 0. */
  private slot = 0;

  constructor({ spanMs, dueAt }: DueTimesOptions<T>) {
    this.slotMs = spanMs / SLOTS;
    this.dueAt = dueAt;
  }

  /** Puts in a thing that is not in yet. */
  put(thing: T): void {
    const at = this.dueAt(thing);
    if (at === Number.POSITIVE_INFINITY) return;
    const slot = Math.floor(at / this.slotMs);
    if (slot <= this.slot) {
      this.soon.push({ thing, at });
      this.isSorted = false;
    } else this.slots[Math.min(slot, this.slot + SLOTS - 1) % SLOTS]?.push(thing);
  }

  /**
   * Takes out what fell due before `now`, the first to fall due first. Costs nothing while nothing
   * may have; a `now` before the last one finds nothing new.
   */
  take(now: number): readonly T[] {
    this.comeUp(Math.floor(now / this.slotMs));
    const due: T[] = [];
    const late: T[] = [];
    if (!this.isSorted) this.soon.sort((a, b) => b.at - a.at);
    this.isSorted = true;
    for (let next = this.soon.at(-1); next && next.at < now; next = this.soon.at(-1)) {
      this.soon.pop();
      if (this.dueAt(next.thing) < now) due.push(next.thing);
      else late.push(next.thing);
    }
    for (const thing of late) this.put(thing);
    return due;
  }

  /** Asks everything in the slots up to this one for its time. */
  private comeUp(slot: number): void {
    if (slot <= this.slot) return;
    const asked: T[][] = [];
    for (let at = Math.max(this.slot + 1, slot - SLOTS + 1); at <= slot; at++) {
      const things = this.slots[at % SLOTS] ?? [];
      if (things.length === 0) continue;
      asked.push(things);
      this.slots[at % SLOTS] = [];
    }
    this.slot = slot;
    for (const things of asked) for (const thing of things) this.put(thing);
  }
}
