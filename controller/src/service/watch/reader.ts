// One reader of an account's changes: where it stands, and whether it still keeps up. It holds no
// queue of its own: what it has not taken yet is the account's recent rows, which are shared and
// bounded, or the log in the store.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { AccountChangeRow } from "../../store/contract.js";

export class Reader {
  /** Everything up to and including this revision was delivered. */
  revision: bigint;
  /** True once it has reached the shared rows: from then on it must keep up with them. */
  live = false;
  private readonly cut = new AbortController();

  constructor(after: bigint) {
    this.revision = after;
  }

  /** Aborts when the reader was closed for being slow; its reason says from where to go on. */
  get closed(): AbortSignal {
    return this.cut.signal;
  }

  /** Closes the reader; what it was sent so far stands. */
  close(): void {
    this.cut.abort(tooSlow(this.revision));
  }
}

/** The reader did not keep up; it may come again from the revision named. */
export function tooSlow(revision: bigint): RailyardError {
  return refuse("exhausted", `the reader is too slow; go on from revision ${revision}`, {
    reason: "READER_TOO_SLOW",
    metadata: { last_revision: `${revision}` },
  });
}

/** The newest rows of one account, without a gap, shared by all its readers. */
export class RecentRows {
  private rows: AccountChangeRow[] = [];
  private bytes = 0;

  constructor(
    /** Revision of the newest row, or where the rows will begin. */
    private newest: bigint,
    private readonly limits: { readonly rows: number; readonly bytes: number },
  ) {}

  get head(): bigint {
    return this.newest;
  }

  /** The revision before the oldest row. */
  get floor(): bigint {
    return this.newest - BigInt(this.rows.length);
  }

  /** Takes the next rows in order, and drops the oldest beyond the limits. */
  append(rows: readonly AccountChangeRow[]): void {
    for (const row of rows) {
      this.rows.push(row);
      this.newest = row.accountRevision;
      this.bytes += sizeOf(row);
    }
    let over = 0;
    for (const row of this.rows) {
      const tooMany = this.rows.length - over > this.limits.rows;
      const tooMuch = this.bytes > this.limits.bytes && this.rows.length - over > 1;
      if (!tooMany && !tooMuch) break;
      this.bytes -= sizeOf(row);
      over += 1;
    }
    if (over > 0) this.rows = this.rows.slice(over);
  }

  /** At most `limit` rows after `revision`; undefined when they reach not so far back. */
  after(revision: bigint, limit: number): readonly AccountChangeRow[] | undefined {
    if (revision < this.floor) return undefined;
    const from = Number(revision - this.floor);
    return this.rows.slice(from, from + limit);
  }
}

function sizeOf({ entries }: AccountChangeRow): number {
  return entries.reduce((sum, { object }) => sum + (object?.length ?? 0), 0);
}
