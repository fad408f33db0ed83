// The seam below the tables: plain SQL with `?` placeholders, and the few things that the shared
// commit asks of an engine. Integers come back as bigint. It must not know any table or any engine.
import { bug } from "@railyard/lib/errors";

export type SqlValue = string | number | bigint | null | Uint8Array;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** Statements; errors come out as RailyardError (`exists` with `metadata.unique`, `bug`, …). */
export interface Sql {
  /** First row of a query. */
  get(text: string, params?: readonly SqlValue[]): Promise<SqlRow | undefined>;
  /** All rows of a query. */
  all(text: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Runs a statement that writes; answers how many rows it touched. */
  run(text: string, params?: readonly SqlValue[]): Promise<number>;
  /** Runs a statement that writes once for each of these; answers how many rows were touched. */
  runEach(text: string, each: readonly (readonly SqlValue[])[]): Promise<number>;
}

/**
 * What an engine can no longer do: `full` = nothing can be written, reads go on; `fatal` = its
 * files cannot be trusted, the process must end.
 */
export type Trouble = "full" | "fatal";

/** One connection. Calls come strictly one after the other. */
export interface Engine {
  readonly sql: Sql;
  /** Set once, by the statement that met it; never cleared. */
  readonly trouble: Trouble | undefined;
  begin(): Promise<void>;
  /** Resolves when the transaction is durable. */
  commit(): Promise<void>;
  /** Undoes the open transaction, if there still is one. */
  rollback(): Promise<void>;
  close(): Promise<void>;
}

/** Runs `fn` in a savepoint of its own: a throw undoes exactly what `fn` did. */
export async function inSavepoint<T>(sql: Sql, name: string, fn: () => Promise<T>): Promise<T> {
  await sql.run(`SAVEPOINT ${name}`);
  try {
    const value = await fn();
    await sql.run(`RELEASE ${name}`);
    return value;
  } catch (err) {
    await sql.run(`ROLLBACK TO ${name}`);
    await sql.run(`RELEASE ${name}`);
    throw err;
  }
}

/** A whole number that fits a JavaScript number. */
export function toNumber(value: SqlValue | undefined): number {
  const number = Number(value);
  const isInteger = typeof value === "bigint" || typeof value === "number";
  if (!isInteger || !Number.isSafeInteger(number)) {
    throw bug("a column holds no safe integer");
  }
  return number;
}

/** A whole number of 64 bits. */
export function toBigint(value: SqlValue | undefined): bigint {
  if (typeof value !== "bigint") throw bug("a column holds no integer");
  return value;
}

export function toText<T extends string>(value: SqlValue | undefined): T {
  if (typeof value !== "string") throw bug("a column holds no text");
  return value as T;
}
