// One reader of an account's changes: where it stands, and whether it still keeps up. It holds no
// rows, not even while it is waited for: what it has not taken yet is found again by its place.
import { type RailyardError, refuse } from "@railyard/lib/errors";

export class Reader {
  /** Everything up to and including this revision was delivered. */
  revision: bigint;
  /** Of the revision after that, so many changes were delivered. */
  changes = 0;
  /** True once it has reached the newest row: from then on it must keep up. */
  live = false;
  private readonly cut = new AbortController();

  constructor(after: bigint) {
    this.revision = after;
  }

  /** Aborts when the reader was closed for being slow. */
  get closed(): AbortSignal {
    return this.cut.signal;
  }

  /** It was given all of a revision. */
  reach(revision: bigint): void {
    this.revision = revision;
    this.changes = 0;
  }

  /** Closes the reader; what it was sent so far stands. */
  close(): void {
    this.cut.abort(tooSlow(this));
  }
}

/** The reader did not keep up; it may come again from the revision it has reached. */
export function tooSlow({ revision }: Reader): RailyardError {
  return refuse("exhausted", `the reader is too slow; go on from revision ${revision}`, {
    reason: "READER_TOO_SLOW",
    metadata: { last_revision: `${revision}` },
  });
}
