// What one run of a `read` or `write` function has in hand: statements that end with it, and the
// changes it made. Written to the logs when a write is done. It must not know any noun.
import { bug } from "@railyard/lib/errors";
import { appendAccountChange } from "./account-log.js";
import type { Cause, ChangeEntry } from "./contract.js";
import type { DeclaredCache } from "./declared-cache.js";
import { type EncodeNow, withObjects } from "./encoded.js";
import { groupBy } from "./group.js";
import { type KnownRow, KnownRows } from "./known-rows.js";
import { type ChangedRow, type Search, searchesFor, shownIn } from "./shown-in.js";
import type { Sql, SqlRow } from "./sql.js";

/** What outlives one piece of work. */
export interface Around {
  /** Hears of every object as it is noted. */
  readonly touched?: (entry: ChangeEntry) => void;
  readonly declared?: DeclaredCache;
  /** Rows that are known already; default: none. */
  readonly known?: KnownRows;
  /** The store's revision that this work makes, if it changes anything. */
  readonly revision?: bigint;
}

export class Work {
  readonly sql: Sql;
  readonly known: KnownRows;
  readonly revision: bigint;
  private over = false;
  private dirty = false;
  private readonly entries = new Map<string, ChangeEntry>();
  private readonly targets = new Set<string>();
  private readonly searches = new Map<string, Search>();
  private readonly beforeEnd = new Map<string, () => Promise<void>>();
  private readonly kept = new Map<string, unknown>();

  constructor(
    private readonly engine: Sql,
    private readonly mayWrite: boolean,
    private readonly around: Around = {},
  ) {
    this.known = around.known ?? new KnownRows();
    this.revision = around.revision ?? 0n;
    const noting = (changed: number) => {
      if (changed > 0) this.dirty = true;
      return changed;
    };
    this.sql = {
      get: (text, params) => this.refused() ?? engine.get(text, params),
      all: (text, params) => this.refused() ?? engine.all(text, params),
      run: (text, params) => this.refused(true) ?? engine.run(text, params).then(noting),
      runEach: (text, each) => this.refused(true) ?? engine.runEach(text, each).then(noting),
    };
  }

  /** After this, every statement of this work is refused. */
  end(): void {
    this.over = true;
  }

  /** A row that this work knows already, while it may be asked. */
  recall(kind: string, id: string): KnownRow | undefined {
    return this.over ? undefined : this.known.get(kind, id);
  }

  /** Puts a changed object into the transaction's change entry; `row` is what changed of it. */
  note(entry: ChangeEntry, row?: ChangedRow): void {
    this.around.touched?.(entry);
    const key = keyOf(entry);
    const before = this.entries.get(key)?.op;
    // What this transaction made is shown by nothing that was there before.
    for (const search of before === "created" ? [] : searchesFor(entry, row)) {
      this.searches.set(`${search.kind}/${search.text}/${search.value}`, search);
    }
    this.targets.add(key);
    const op = collapse(before, entry.op);
    if (op) this.entries.set(key, { ...entry, op });
    else this.entries.delete(key);
  }

  /** Puts something into the audit row that is no change of an object. */
  audit(target: string): void {
    if (!this.mayWrite) throw bug("a read transaction was asked to write");
    this.targets.add(target);
    this.dirty = true;
  }

  /** Runs `check` once before this work ends; a throw fails the write. */
  checkAtEnd(key: string, check: () => Promise<void>): void {
    this.beforeEnd.set(key, check);
  }

  /** The value of `make`, computed once in this work. */
  async once<T>(key: string, make: () => Promise<T>): Promise<T> {
    if (!this.kept.has(key)) this.kept.set(key, await make());
    return this.kept.get(key) as T;
  }

  /** What `read` finds, or found in a work before: see DeclaredCache. */
  declared<T>(key: string, read: () => Promise<T>): Promise<T> {
    if (this.over) return Promise.reject(bug("a transaction was used after its end"));
    return this.around.declared?.get(key, read) ?? read();
  }

  /**
   * Ends this work and writes the logs, with the objects where they can be encoded; the new
   * revision, or undefined when nothing changed.
   */
  async finish(cause: Cause, encode?: EncodeNow): Promise<bigint | undefined> {
    for (const check of this.beforeEnd.values()) await check();
    // A statement that the function forgot to await must not slip in behind the logs.
    this.end();
    if (!this.dirty) return undefined;
    const sql = this.engine;
    const { revision } = this;
    const entries = [...this.entries.values()];
    await sql.run("INSERT INTO changes (revision, at, entries) VALUES (?, ?, ?)", [
      revision,
      cause.at,
      JSON.stringify(entries),
    ]);
    const owned = entries.filter((entry) => entry.account);
    const shown = encode ? await withObjects(sql, encode, await this.withShowing(owned)) : owned;
    for (const [account, own] of groupBy(shown, (entry) => entry.account)) {
      if (!account) continue;
      await appendAccountChange(sql, { account, revision, at: cause.at, entries: own });
    }
    await appendAudit(sql, { cause, revision, targets: [...this.targets] });
    return revision;
  }

  /** The entries, and after them the objects that show something of what changed. */
  private async withShowing(entries: readonly ChangeEntry[]): Promise<readonly ChangeEntry[]> {
    const all = new Map(entries.map((entry) => [keyOf(entry), entry]));
    for (const entry of await shownIn(this.engine, this.searches.values())) {
      if (!all.has(keyOf(entry))) all.set(keyOf(entry), entry);
    }
    return [...all.values()];
  }

  /** Why a statement may not run, if so. */
  private refused(writes = false): Promise<never> | undefined {
    if (this.over) return Promise.reject(bug("a transaction was used after its end"));
    if (!writes || this.mayWrite) return undefined;
    return Promise.reject(bug("a read transaction was asked to write"));
  }
}

function keyOf({ kind, id }: ChangeEntry): string {
  return `${kind}/${id}`;
}

type Op = ChangeEntry["op"];

/** What two steps of one transaction amount to; undefined = nothing that anybody can see. */
function collapse(before: Op | undefined, now: Op): Op | undefined {
  if (before === "created") return now === "deleted" ? undefined : "created";
  if (before === "deleted" && now === "created") return "updated";
  return now;
}

async function appendAudit(
  sql: Sql,
  row: { readonly cause: Cause; readonly revision: bigint; readonly targets: readonly string[] },
): Promise<void> {
  const { by, method, requestId, account, at } = row.cause;
  await sql.run(
    `INSERT INTO audit (revision, caller, method, request_id, account, at, targets)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    [row.revision, by, method, requestId ?? null, account ?? null, at, JSON.stringify(row.targets)],
  );
}

/** One row decoded from JSON text; the text is what this store wrote. */
export function fromJson<T>(row: SqlRow, column: string): T {
  return JSON.parse(String(row[column])) as T;
}
