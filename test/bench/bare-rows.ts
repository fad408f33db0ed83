// What the same rows cost without a server: the rows that a load of creates left in the database,
// written again by a bare loop over better-sqlite3 into a copy of the database from before.
import { rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Effort } from "./compare.js";
import { median } from "./figure.js";
import type { Call } from "./load.js";
import type { BenchYard } from "./yard.js";

type Value = string | number | bigint | null | Buffer;

/** As the store has it. */
const CHECKPOINT_PAGES = 4_096;

export interface BareRows {
  /** How fast the server answered, calls a second. */
  readonly ours: number;
  /** How fast the bare loop wrote as many. */
  readonly bare: number;
  /** Ours over bare, window by window, the median. */
  readonly ratio: number;
  /** Rows that were new or different afterwards, per call. */
  readonly rowsPerCall: number;
}

/** In windows: loads the yard with `calls` creates, then does the same without it. */
export async function bareRows(
  yard: BenchYard,
  { call, calls, effort }: { readonly call: Call; readonly calls: number; readonly effort: Effort },
): Promise<BareRows> {
  const windows: Omit<BareRows, "ratio">[] = [];
  for (let i = 0; i < effort.windows; i++) {
    const [before, after] = [join(yard.dir, "before.db"), join(yard.dir, "after.db")];
    await yard.copyDatabase(before);
    const { callsPerSecond: ours, commits } = await yard.load(call, calls);
    await yard.copyDatabase(after);
    const rows = callByCall(differences(after, before), calls);
    const bare = calls / writeBare(before, rows, commits);
    windows.push({ ours, bare, rowsPerCall: rows.length / calls });
    for (const path of [before, after]) {
      for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    }
  }
  const of = (what: (window: Omit<BareRows, "ratio">) => number) => median(windows.map(what));
  return {
    ours: of(({ ours }) => ours),
    bare: of(({ bare }) => bare),
    ratio: of(({ ours, bare }) => ours / bare),
    rowsPerCall: of(({ rowsPerCall }) => rowsPerCall),
  };
}

export interface Row {
  readonly table: string;
  readonly values: readonly Value[];
}

/** Rows of `after` that `before` lacks or has otherwise, each table's in the order they came. */
export function differences(after: string, before: string): readonly Row[] {
  const db = new Database(after);
  try {
    db.defaultSafeIntegers(true);
    db.prepare("ATTACH ? AS before").run(before);
    const tables = db.prepare("SELECT name, sql FROM main.sqlite_schema WHERE type = 'table'");
    return (tables.all() as { name: string; sql: string }[]).flatMap(({ name: table, sql }) => {
      // Tables without rowids have the order of their keys, which begin with ids, thus with times.
      const rowid = sql.includes("WITHOUT ROWID") ? "1" : "rowid";
      const columns = `SELECT ${rowid} AS came, *`;
      const found = db.prepare(
        `${columns} FROM main.${table} EXCEPT ${columns} FROM before.${table} ORDER BY came`,
      );
      const rows = found.raw().all() as Value[][];
      return rows.map(([, ...values]) => ({ table, values }));
    });
  } finally {
    db.close();
  }
}

/** The rows as `calls` calls left them: what is of one call together, as far as counts can tell. */
export function callByCall(rows: readonly Row[], calls: number): readonly Row[] {
  const total = new Map<string, number>();
  for (const { table } of rows) total.set(table, (total.get(table) ?? 0) + 1);
  const seen = new Map<string, number>();
  const placed = rows.map((row) => {
    const at = seen.get(row.table) ?? 0;
    seen.set(row.table, at + 1);
    return { row, call: Math.floor((at * calls) / (total.get(row.table) ?? 1)) };
  });
  return placed.sort((a, b) => a.call - b.call).map(({ row }) => row);
}

/** Seconds that the rows took, in `commits` durable commits of about the same size. */
export function writeBare(path: string, rows: readonly Row[], commits: number): number {
  const db = new Database(path);
  try {
    for (const pragma of ["locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"]) {
      db.pragma(pragma);
    }
    // What is there already is replaced, which must not take what refers to it along.
    db.pragma("foreign_keys = OFF");
    db.pragma("wal_checkpoint(TRUNCATE)");
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
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
