// How long a batch of writes that will share a commit waits for more. Knows numbers and times only.

/** After a smaller batch the next one does not wait. */
const GATHER_FROM = 8;
/** Waiting ends when nobody came for so long, milliseconds, … */
const QUIET_MS = 0.4;
/** … and in any case after so long, … */
const GATHER_MS = 4;
/** … and so many looks: a clock may stand still. */
const LOOKS_MAX = 4_000;

/**
 * Supposes that those who were just answered ask again, and waits for all of them: a commit costs
 * more than the little that could be done meanwhile for the others.
 */
export class Gathering {
  private lastBatch = 0;
  /** So many should wait before the next batch begins. */
  private wanted = 0;
  private looks = 0;
  private began = 0;
  private seen = 0;
  private seenAt = 0;

  /**
   * The next batch may begin; so many came while the last one was at work. Times: milliseconds of a
   * clock that only rises.
   */
  begin(others: number, now: number): void {
    this.wanted = others + this.lastBatch;
    this.began = now;
    this.looks = 0;
    this.seen = 0;
    this.seenAt = now;
  }

  /** Whether so many that wait should wait for more. */
  goesOn(waiting: number, now: number): boolean {
    if (waiting !== this.seen) this.seenAt = now;
    this.seen = waiting;
    this.looks += 1;
    if (this.lastBatch < GATHER_FROM || waiting === 0 || waiting >= this.wanted) return false;
    if (this.looks > LOOKS_MAX) return false;
    return now - this.began <= GATHER_MS && now - this.seenAt <= QUIET_MS;
  }

  /** A batch took so many, and left so many waiting: these make the next one, which goes on. */
  took(writes: number, left: number): void {
    this.lastBatch = left > 0 ? 0 : writes;
  }
}
