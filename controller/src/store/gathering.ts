// How long a batch of writes that will share a commit waits for more, and how many it takes. Knows
// numbers and times only.

/** Callers that are not split into halves: their answers take less time than a second commit. */
const BATCH_MIN = 16;
/** After a smaller batch the next one does not wait. */
const GATHER_FROM = 8;
/** Waiting ends when nobody came for so long, milliseconds, … */
const QUIET_MS = 0.4;
/** … and in any case after so long, … */
const GATHER_MS = 4;
/** … and so many looks: a clock may stand still. */
const LOOKS_MAX = 4_000;

/**
 * Supposes that those who were just answered ask again, and that the others are waiting: half of
 * them make a batch, so that the other half is worked on while these hear their answers.
 */
export class Gathering {
  private lastBatch = 0;
  /** So many should wait before the next batch begins. */
  private wanted = 0;
  private looks = 0;
  private began = 0;
  private seen = 0;
  private seenAt = 0;

  /** The first of the next batch has come. Times: milliseconds of a clock that only rises. */
  begin(now: number): void {
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

  /** How many of those that wait the batch that begins now takes at most. */
  take(waiting: number, max: number): number {
    const half = Math.ceil((waiting + this.lastBatch) / 2);
    const most = Math.min(max, Math.max(BATCH_MIN, half));
    this.lastBatch = Math.min(waiting, most);
    this.wanted = Math.min(max, Math.max(half, Math.min(this.lastBatch, BATCH_MIN)));
    return most;
  }
}
