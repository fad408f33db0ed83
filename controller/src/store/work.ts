// What one run of a `read` or `write` function has in hand: statements that end with it, and the
// changes it made. Written to the logs when a write is done. It must not know any noun.
import { bug } from "@railyard/lib/errors";
import type { Soon } from "@railyard/lib/soon";
import type { Change } from "./batch-log.js";
import { ACCOUNT_LOG, type Cause, type ChangeEntry } from "./contract.js";
import type { DeclaredCache } from "./declared-cache.js";
import { type KeptObject, keptKey, type Shown } from "./encoded.js";
import { type KnownRow, KnownRows } from "./known-rows.js";
import { type ChangedRow, type Search, searchesFor, shownIn } from "./shown-in.js";
import type { Sql, SqlRow } from "./sql.js";
import type { Touch } from "./touches.js";

/** What outlives one piece of work. */
export interface Around {
  /** Hears of every object as it is noted. */
  readonly touched?: (touch: Touch) => void;
  readonly declared?: DeclaredCache;
  /** Rows that are known already; default: none. */
  readonly known?: KnownRows;
  /** The store's revision that this work makes, if it changes anything. */
  readonly revision?: bigint;
  /** Looks at what accounts see of changed objects; `earlier`: as this work has shown them. */
  readonly show?: Show | undefined;
}

export type Show = (entries: readonly ChangeEntry[], earlier: Earlier) => Promise<Shown>;

/** The bytes of an object that this work has shown already. */
export type Earlier = (of: Pick<ChangeEntry, "kind" | "id">) => KeptObject | undefined;

export class Work {
  readonly sql: Sql;
  readonly known: KnownRows;
  readonly revision: bigint;
  private over = false;
  private dirty = false;
  /** Since the last moment. */
  private readonly entries = new Map<string, ChangeEntry>();
  /** Of the whole work, as far as moments have ended it. */
  private readonly past = new Map<string, ChangeEntry>();
  private readonly moments: Shown[] = [];
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
    this.around.touched?.({ kind: entry.kind, id: entry.id, row: row?.now });
    const key = keyOf(entry);
    const before = this.entries.get(key)?.op;
    // What this transaction made is shown by nothing that was there before.
    for (const search of before === "created" ? [] : searchesFor(entry, row)) {
      if (this.isOfNew(search)) continue;
      this.searches.set(`${search.kind}/${search.value}/${search.text}`, search);
    }
    this.targets.add(key);
    add(this.entries, key, entry);
  }

  /**
   * Ends one change and begins the next: accounts are told of the work so far by a revision of its
   * own, and of what follows by another. All of it stands or falls together.
   */
  async moment(): Promise<void> {
    if (!this.mayWrite) throw bug("a read transaction was asked to write");
    this.moments.push(await this.look());
    this.addToPast();
    this.entries.clear();
    this.searches.clear();
  }

  /** Leaves an audit row, also when nothing changes. */
  acknowledge(): void {
    if (!this.mayWrite) throw bug("a read transaction was asked to write");
    this.dirty = true;
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

  /** Whether the object came with this work. */
  hasMade(object: Pick<ChangeEntry, "kind" | "id">): boolean {
    const key = keyOf(object);
    return [this.entries, this.past].some((noted) => noted.get(key)?.op === "created");
  }

  /** Whether this is asked for the first time in this work. */
  isFirst(key: string): boolean {
    if (this.kept.has(key)) return false;
    this.kept.set(key, true);
    return true;
  }

  /** The value of `make`, computed once in this work. */
  async once<T>(key: string, make: () => Promise<T>): Promise<T> {
    if (!this.kept.has(key)) this.kept.set(key, await make());
    return this.kept.get(key) as T;
  }

  /** What `read` finds, or found in a work before: see DeclaredCache. */
  declared<T>(key: string, read: () => Promise<T>): Soon<T> {
    if (this.over) return Promise.reject(bug("a transaction was used after its end"));
    return this.around.declared?.get(key, read) ?? read();
  }

  /** Ends this work: what is to be logged of it, undefined when nothing changed. */
  async finish(cause: Cause): Promise<Change | undefined> {
    for (const check of this.beforeEnd.values()) await check();
    // A statement that the function forgot to await must not slip in behind the logs.
    this.end();
    if (!this.dirty) return undefined;
    const shown = [...this.moments, await this.look()];
    const seen = shown.flatMap((moment) => moment.seen);
    for (const account of new Set(seen.map((entry) => entry.account))) {
      if (!account) continue;
      this.around.touched?.({ kind: ACCOUNT_LOG, id: account });
    }
    const entries = this.entriesOfAll();
    return { revision: this.revision, cause, entries, targets: [...this.targets], shown };
  }

  /** Whether it is for what shows an object that came since the last moment: nothing did before. */
  private isOfNew({ whose, value }: Search): boolean {
    return this.entries.get(`${whose}/${value}`)?.op === "created";
  }

  private addToPast(): void {
    for (const [key, entry] of this.entries) add(this.past, key, entry);
  }

  private entriesOfAll(): readonly ChangeEntry[] {
    if (this.moments.length === 0) return [...this.entries.values()];
    this.addToPast();
    return [...this.past.values()];
  }

  /** What accounts see of the changes since the last moment. */
  private async look(): Promise<Shown> {
    const owned = [...this.entries.values()].filter((entry) => entry.account);
    const { show } = this.around;
    if (!show) return { seen: owned, objects: [] };
    const earlier = new Map<string, KeptObject>();
    for (const { objects } of this.moments) {
      for (const object of objects) earlier.set(keptKey(object), object);
    }
    return show(await this.withShowing(owned), (of) => earlier.get(keptKey(of)));
  }

  /** The entries, and after them the objects that show something of what changed. */
  private async withShowing(entries: readonly ChangeEntry[]): Promise<readonly ChangeEntry[]> {
    // What this transaction made is shown by nothing that was there before.
    const searches = [...this.searches.values()].filter((search) => !this.isOfNew(search));
    const others = new Map<string, ChangeEntry>();
    for (const entry of await shownIn(this.engine, searches)) {
      const key = keyOf(entry);
      if (!this.entries.has(key)) others.set(key, entry);
    }
    return [...entries, ...others.values()];
  }

  /** Why a statement may not run, if so. */
  private refused(writes = false): Promise<never> | undefined {
    if (this.over) return Promise.reject(bug("a transaction was used after its end"));
    if (!writes || this.mayWrite) return undefined;
    return Promise.reject(bug("a read transaction was asked to write"));
  }
}

function keyOf({ kind, id }: Pick<ChangeEntry, "kind" | "id">): string {
  return `${kind}/${id}`;
}

/** Notes one more change of an object. */
function add(entries: Map<string, ChangeEntry>, key: string, entry: ChangeEntry): void {
  const op = collapse(entries.get(key)?.op, entry.op);
  if (op === entry.op) entries.set(key, entry);
  else if (op) entries.set(key, { ...entry, op });
  else entries.delete(key);
}

type Op = ChangeEntry["op"];

/** What two steps of one transaction amount to; undefined = nothing that anybody can see. */
function collapse(before: Op | undefined, now: Op): Op | undefined {
  if (before === "created") return now === "deleted" ? undefined : "created";
  if (before === "deleted" && now === "created") return "updated";
  return now;
}

/** One row decoded from JSON text; the text is what this store wrote. */
export function fromJson<T>(row: SqlRow, column: string): T {
  return JSON.parse(String(row[column])) as T;
}
