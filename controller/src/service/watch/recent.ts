// The newest rows of one account, without a gap, shared by all its readers. Knows no reader.
import type { AccountChangeRow } from "../../store/contract.js";

/** What an entry takes in memory beside its object's bytes, about. */
const ENTRY_BYTES = 640;

/** What a row takes in memory while it is read: its objects, and each again in its message. */
export function bytesOf({ entries }: AccountChangeRow): number {
  return entries.reduce((sum, { object }) => sum + ENTRY_BYTES + 2 * (object?.length ?? 0), 0);
}

/** How much may be kept. */
export interface Room {
  readonly rows: number;
  readonly bytes: number;
}

export class RecentRows {
  private rows: AccountChangeRow[] = [];
  private bytes = 0;

  /** `newest`: where the rows will begin. */
  constructor(private newest: bigint) {}

  /** Revision of the newest row. */
  get head(): bigint {
    return this.newest;
  }

  /** The revision before the oldest row. */
  get floor(): bigint {
    return this.newest - BigInt(this.rows.length);
  }

  /**
   * Takes the next rows in order, and drops the oldest for which there is no room. Where rows went
   * from the log before they were read, it begins anew: nobody is led across such a gap.
   */
  append(rows: readonly AccountChangeRow[], room: Room): void {
    const [first] = rows;
    if (first && first.accountRevision !== this.newest + 1n) {
      this.rows = [];
      this.bytes = 0;
    }
    for (const row of rows) {
      this.rows.push(row);
      this.newest = row.accountRevision;
      this.bytes += bytesOf(row);
    }
    let over = 0;
    for (const row of this.rows) {
      if (this.rows.length - over <= room.rows && this.bytes <= room.bytes) break;
      this.bytes -= bytesOf(row);
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
