// The embedded engine: SQLite through better-sqlite3, one connection that shuts every other out,
// durable at every commit. The only file that may import better-sqlite3; it knows no table.
import { closeSync, openSync } from "node:fs";
import type { Clock } from "@railyard/lib/clock";
import { bug, RailyardError, refuse } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import Database from "better-sqlite3";
import type { Encode, Store } from "./contract.js";
import { encodeAll } from "./encode-all.js";
import { insertTogether, TOGETHER_MAX } from "./insert-together.js";
import { migrate } from "./migrations.js";
import { SharedCommit, type StoreStats } from "./shared-commit.js";
import type { Engine, Sql, SqlRow, SqlValue, Trouble } from "./sql.js";
import { notUnique, violatedRule } from "./unique.js";

export interface SqliteOptions {
  /** The database file, made when missing; `:memory:` keeps everything in memory only. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once after an I/O error or corruption; end the process, nothing else is safe. */
  readonly onFatal: (err: unknown) => void;
  /** The file's limit in pages of 4 KiB; default: the disk's. */
  readonly pagesMax?: number;
  /** Makes the bytes of tenant objects for the accounts' logs; absent: they carry none. */
  readonly encode?: Encode | undefined;
  /** Writes that share one commit, at most; default BATCH_MAX. */
  readonly batchMax?: number | undefined;
}

export interface SqliteStore extends Store {
  stats(): StoreStats;
}

const IN_MEMORY = ":memory:";
/** How long opening waits for another process to let go of the file, milliseconds. */
const OPEN_WAIT_MS = 500;
/** Pages of 4 KiB in the write-ahead log before they are moved into the database. */
const CHECKPOINT_PAGES = 16_384;
/** Prepared statements kept. */
const STATEMENTS_MAX = 1_024;
const SYNCHRONOUS_FULL = 2n;

/**
 * Opens the store and brings its schema up to date. Throws `precondition` when another process has
 * the file open or when a newer program wrote it, `unavailable` when it cannot be opened at all.
 */
export async function openSqlite(options: SqliteOptions): Promise<SqliteStore> {
  const { path, clock, log, onFatal, pagesMax, encode, batchMax } = options;
  let db: Database.Database | undefined;
  try {
    db = openFile(path);
    const engine = new SqliteEngine(db);
    setUp(db, path);
    await migrate(engine, encode && (() => encodeAll(engine.sql, encode, clock.now())));
    assertDurable(db, path);
    if (pagesMax !== undefined) db.pragma(`max_page_count = ${pagesMax}`);
    return new SharedCommit(engine, { clock, log, onFatal, encode, batchMax });
  } catch (err) {
    db?.close();
    throw openingFailed(path, err);
  }
}

function openFile(path: string): Database.Database {
  // Made here, so that nobody but its owner can read it.
  if (path !== IN_MEMORY) closeSync(openSync(path, "a", 0o600));
  const db = new Database(path, { timeout: OPEN_WAIT_MS });
  db.defaultSafeIntegers(true);
  return db;
}

function openingFailed(path: string, err: unknown): RailyardError {
  const cause = err instanceof RailyardError ? (err.parts.cause ?? err) : err;
  const code = cause instanceof Database.SqliteError ? cause.code : "";
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return refuse("precondition", `the database ${path} is open in another process`, { cause });
  }
  if (err instanceof RailyardError) return err;
  return refuse("unavailable", `the database ${path} cannot be opened`, { cause });
}

function setUp(db: Database.Database, path: string): void {
  db.pragma("locking_mode = EXCLUSIVE");
  if (path !== IN_MEMORY) db.pragma("journal_mode = WAL");
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma("synchronous = FULL");
  db.pragma("foreign_keys = ON");
  // What undoes a savepoint stays in memory: it is small, and never read after a crash.
  db.pragma("temp_store = MEMORY");
  assertDurable(db, path);
}

// The library is built to fall back to synchronous=NORMAL in WAL mode, which loses acknowledged
// commits in a power cut.
function assertDurable(db: Database.Database, path: string): void {
  const wanted = { synchronous: SYNCHRONOUS_FULL, foreign_keys: 1n, locking_mode: "exclusive" };
  const journal = path === IN_MEMORY ? {} : { journal_mode: "wal" };
  for (const [name, value] of Object.entries({ ...wanted, ...journal })) {
    const found = db.pragma(name, { simple: true });
    if (found !== value) throw bug(`sqlite has ${name} = ${found}, not ${value}`);
  }
}

class SqliteEngine implements Engine {
  trouble: Trouble | undefined;
  private readonly prepared = new Map<string, Database.Statement>();
  readonly sql: Sql = {
    get: async (text, params) => this.attempt(() => this.query(text).get(bound(params))),
    all: async (text, params) => this.attempt(() => this.query(text).all(bound(params))),
    run: async (text, params) => this.attempt(() => this.prepare(text).run(bound(params)).changes),
    runEach: async (text, each) => this.attempt(() => this.each(text, each)),
  };

  constructor(private readonly db: Database.Database) {}

  async begin(): Promise<void> {
    await this.sql.run("BEGIN IMMEDIATE");
  }

  async commit(): Promise<void> {
    await this.sql.run("COMMIT");
  }

  // SQLite ends the transaction by itself on some errors.
  async rollback(): Promise<void> {
    if (this.db.inTransaction) await this.sql.run("ROLLBACK");
  }

  async close(): Promise<void> {
    this.db.close();
  }

  private each(text: string, each: readonly (readonly SqlValue[])[]): number {
    let changes = 0;
    for (let from = 0; from < each.length; from += TOGETHER_MAX) {
      const rows = each.slice(from, from + TOGETHER_MAX);
      const insert = insertTogether(text, rows.length);
      if (insert) changes += this.prepare(insert).run(boundTogether(rows)).changes;
      else for (const row of rows) changes += this.prepare(text).run(bound(row)).changes;
    }
    return changes;
  }

  private query(text: string): Database.Statement<[readonly SqlValue[]], SqlRow> {
    return this.prepare(text) as Database.Statement<[readonly SqlValue[]], SqlRow>;
  }

  // The texts are few: tables build them from fixed parts, never from values.
  private prepare(text: string): Database.Statement {
    const known = this.prepared.get(text);
    if (known) return known;
    if (this.prepared.size >= STATEMENTS_MAX) this.prepared.clear();
    const statement = this.db.prepare(text);
    this.prepared.set(text, statement);
    return statement;
  }

  private attempt<T>(fn: () => T): T {
    try {
      return fn();
    } catch (err) {
      throw this.translate(err);
    }
  }

  private translate(err: unknown): RailyardError {
    if (!(err instanceof Database.SqliteError)) return bug("a statement failed", { cause: err });
    if (/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(err.code)) return violation(err);
    if (err.code.startsWith("SQLITE_CONSTRAINT")) {
      return bug(`the schema refused a write (${err.message})`, { cause: err });
    }
    if (err.code === "SQLITE_FULL") this.trouble ??= "full";
    if (FATAL.test(err.code)) this.trouble = "fatal";
    const code = this.trouble ? "unavailable" : "bug";
    return refuse(code, "the database failed", { cause: err, detail: { sqlite: err.code } });
  }
}

const FATAL = /^SQLITE_(IOERR|CORRUPT|NOTADB|CANTOPEN|PROTOCOL|READONLY|NOMEM|INTERNAL)/;

// The message names the columns: `UNIQUE constraint failed: subnets.cluster_network_id,
// subnets.name`.
function violation(err: Error): RailyardError {
  const named = err.message.replace(/^.*failed: /, "").split(", ");
  const [table = ""] = (named[0] ?? "").split(".");
  const columns = named.map((name) => name.split(".")[1] ?? "");
  return notUnique(violatedRule(table, columns), err);
}

const NONE: readonly SqlValue[] = [];

// The library would bind a whole number as a floating-point one.
function wide(value: SqlValue): SqlValue {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function bound(params = NONE): readonly SqlValue[] {
  for (const value of params) if (typeof value === "number") return params.map(wide);
  return params;
}

// By hand: `flat` takes longer than the statement saves.
function boundTogether(rows: readonly (readonly SqlValue[])[]): readonly SqlValue[] {
  const out: SqlValue[] = [];
  for (const row of rows) for (const value of row) out.push(wide(value));
  return out;
}
