// What one run of a `read` or `write` function has in hand: statements that end with it, and the
// changes it made. Written to the logs when a write is done. It must not know any noun.
import { bug } from "@railyard/lib/errors";
import { appendAccountChange } from "./account-log.js";
import type { Cause, ChangeEntry } from "./contract.js";
import { type EncodeNow, withObjects } from "./encoded.js";
import { groupBy } from "./group.js";
import { type Sql, type SqlRow, type SqlValue, toBigint } from "./sql.js";

export class Work {
  readonly sql: Sql;
  private over = false;
  private dirty = false;
  private readonly entries = new Map<string, ChangeEntry>();
  private readonly targets = new Set<string>();
  private readonly beforeEnd = new Map<string, () => Promise<void>>();
  private readonly kept = new Map<string, unknown>();

  constructor(
    private readonly engine: Sql,
    private readonly mayWrite: boolean,
  ) {
    this.sql = {
      get: (text, params) => this.guarded(() => engine.get(text, params)),
      all: (text, params) => this.guarded(() => engine.all(text, params)),
      run: (text, params) => this.guarded(() => this.runNoting(text, params)),
    };
  }

  /** After this, every statement of this work is refused. */
  end(): void {
    this.over = true;
  }

  /** Puts a changed object into the transaction's change entry. */
  note(entry: ChangeEntry): void {
    const key = `${entry.kind}/${entry.id}`;
    this.targets.add(key);
    const op = collapse(this.entries.get(key)?.op, entry.op);
    if (op) this.entries.set(key, { ...entry, op });
    else this.entries.delete(key);
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
    const revision = await nextRevision(sql);
    const entries = [...this.entries.values()];
    await sql.run("INSERT INTO changes (revision, at, entries) VALUES (?, ?, ?)", [
      revision,
      cause.at,
      JSON.stringify(entries),
    ]);
    const owned = entries.filter((entry) => entry.account);
    const shown = encode ? await withObjects(sql, encode, owned) : owned;
    for (const [account, own] of groupBy(shown, (entry) => entry.account)) {
      if (!account) continue;
      await appendAccountChange(sql, { account, revision, at: cause.at, entries: own });
    }
    await appendAudit(sql, { cause, revision, targets: [...this.targets] });
    return revision;
  }

  private guarded<T>(fn: () => Promise<T>): Promise<T> {
    if (this.over) return Promise.reject(bug("a transaction was used after its end"));
    return fn();
  }

  private async runNoting(text: string, params?: readonly SqlValue[]): Promise<number> {
    if (!this.mayWrite) throw bug("a read transaction was asked to write");
    const changed = await this.engine.run(text, params);
    if (changed > 0) this.dirty = true;
    return changed;
  }
}

type Op = ChangeEntry["op"];

/** What two steps of one transaction amount to; undefined = nothing that anybody can see. */
function collapse(before: Op | undefined, now: Op): Op | undefined {
  if (before === "created") return now === "deleted" ? undefined : "created";
  if (before === "deleted" && now === "created") return "updated";
  return now;
}

async function nextRevision(sql: Sql): Promise<bigint> {
  await sql.run("UPDATE revision SET value = value + 1");
  return toBigint((await sql.get("SELECT value FROM revision"))?.value);
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
