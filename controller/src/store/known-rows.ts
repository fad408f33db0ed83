// Rows that a transaction has read or written by id, so that it need not read them again: its later
// steps, and the encoding of what it changed, take them from here. Knows no noun.
import type { SqlRow } from "./sql.js";

export interface KnownRow {
  readonly row: object;
  /** Its columns as they are stored. */
  readonly columns: SqlRow;
}

/** Rows kept; after so many all are forgotten and read again. */
const ROWS_MAX = 8_192;

export class KnownRows {
  private readonly known = new Map<string, Map<string, KnownRow>>();
  private size = 0;

  get(kind: string, id: string): KnownRow | undefined {
    return this.known.get(kind)?.get(id);
  }

  keep(kind: string, id: string, known: KnownRow): void {
    if (++this.size > ROWS_MAX) this.forgetAll();
    const own = this.known.get(kind);
    if (own) own.set(id, known);
    else this.known.set(kind, new Map([[id, known]]));
  }

  /** To be told when a row may have changed by another way than its noun's rows. */
  forget(kind: string, id: string): void {
    this.known.get(kind)?.delete(id);
  }

  forgetAll(): void {
    this.known.clear();
    this.size = 0;
  }
}
