// What the same rows cost without a server: the rows that a load of creates left in the database,
// written again by a bare loop over better-sqlite3 into a copy of the database from before.
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { type Call, IN_FLIGHT } from "./load.js";
import type { BenchYard } from "./yard.js";

type Value = string | number | bigint | null | Buffer;

export interface BareRows {
  /** How fast the server answered. */
  readonly callsPerSecond: number;
  /** How fast the bare loop wrote as many. */
  readonly barePerSecond: number;
  /** Rows that were new or different afterwards, per call. */
  readonly rowsPerCall: number;
}

/** Loads the yard with `calls` creates, then does the same without it. Stops the yard. */
export async function bareRows(yard: BenchYard, call: Call, calls: number): Promise<BareRows> {
  const before = join(yard.dir, "before.db");
  await yard.stop();
  copyFileSync(yard.database, before);
  const again = await yard.reopened();
  const { callsPerSecond } = await again.load(call, calls);
  await again.stop();
  const rows = differences(yard.database, before);
  const seconds = writeBare(before, rows, Math.ceil(calls / IN_FLIGHT));
  return { callsPerSecond, barePerSecond: calls / seconds, rowsPerCall: rows.length / calls };
}

export interface Row {
  readonly table: string;
  readonly values: readonly Value[];
}

/** Rows of `after` that `before` lacks or has otherwise. */
export function differences(after: string, before: string): readonly Row[] {
  const db = new Database(after);
  try {
    db.defaultSafeIntegers(true);
    db.prepare("ATTACH ? AS before").run(before);
    const tables = db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'").pluck();
    return (tables.all() as string[]).flatMap((table) => {
      const found = db.prepare(`SELECT * FROM main.${table} EXCEPT SELECT * FROM before.${table}`);
      return (found.raw().all() as Value[][]).map((values) => ({ table, values }));
    });
  } finally {
    db.close();
  }
}

/** Seconds that the rows took, in `commits` durable commits of about the same size. */
export function writeBare(path: string, rows: readonly Row[], commits: number): number {
  const db = new Database(path);
  try {
    for (const pragma of ["locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"]) {
      db.pragma(pragma);
    }
    // A table at a time, its rows come without their parents.
    db.pragma("foreign_keys = OFF");
    const statements = new Map<string, Database.Statement>();
    const inserts = rows.map(({ table, values }) => {
      const marks = values.map(() => "?").join(", ");
      const known = statements.get(table);
      const insert = known ?? db.prepare(`INSERT OR REPLACE INTO ${table} VALUES (${marks})`);
      statements.set(table, insert);
      return { insert, values };
    });
    const size = Math.ceil(inserts.length / commits);
    const started = performance.now();
    for (let first = 0; first < inserts.length; first += size) {
      db.exec("BEGIN IMMEDIATE");
      for (const { insert, values } of inserts.slice(first, first + size)) insert.run(...values);
      db.exec("COMMIT");
    }
    return (performance.now() - started) / 1000;
  } finally {
    db.close();
  }
}
