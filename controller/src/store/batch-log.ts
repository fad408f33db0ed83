// What the writes of one batch put into the logs, and the encoded objects they leave: gathered in
// memory and written together just before the commit they share, outside the savepoints of the
// single writes. A write that is undone adds nothing. Knows no noun.
import type { AccountId } from "@railyard/lib/ids";
import { type AccountChange, appendAccountChanges } from "./account-log.js";
import type { AccountEntry, Cause, ChangeEntry } from "./contract.js";
import { type KeptObject, keptKey, readObject, type Shown, writeObjects } from "./encoded.js";
import { groupBy } from "./group.js";
import type { Sql } from "./sql.js";

/** What one write changed. */
export interface Change {
  readonly revision: bigint;
  readonly cause: Cause;
  readonly entries: readonly ChangeEntry[];
  /** What its audit row names. */
  readonly targets: readonly string[];
  /** What accounts are told of it: each a revision of their own. */
  readonly shown: readonly Shown[];
}

export class BatchLog {
  private readonly changes: Change[] = [];
  private readonly accounts = new Map<AccountId, AccountChange[]>();
  private readonly objects = new Map<string, KeptObject>();

  constructor(private readonly sql: Sql) {}

  /** The kept bytes of an object, as the writes before leave them. */
  async object(of: Pick<ChangeEntry, "kind" | "id">): Promise<Uint8Array | undefined> {
    const kept = this.objects.get(keptKey(of));
    return kept ? kept.object : readObject(this.sql, of);
  }

  add(change: Change): void {
    this.changes.push(change);
    const when = { revision: change.revision, at: change.cause.at };
    for (const moment of change.shown) this.show(moment, when);
  }

  /** For the logs of accounts alone. */
  show({ seen, objects }: Shown, when: { readonly revision: bigint; readonly at: number }): void {
    for (const object of objects) this.objects.set(keptKey(object), object);
    for (const [account, entries] of groupBy(seen, accountOf)) {
      if (!account) continue;
      const change = { entries, revision: when.revision, at: when.at };
      const before = this.accounts.get(account);
      if (before) before.push(change);
      else this.accounts.set(account, [change]);
    }
  }

  /** Nothing may be added afterwards. */
  async write(): Promise<void> {
    const { sql, changes } = this;
    await writeObjects(sql, [...this.objects.values()]);
    await sql.runEach(
      "INSERT INTO changes (revision, at, entries) VALUES (?, ?, ?)",
      changes.map(({ revision, cause, entries }) => [revision, cause.at, JSON.stringify(entries)]),
    );
    await sql.runEach(
      `INSERT INTO audit (revision, caller, method, request_id, account, at, targets)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      changes.map(({ revision, cause, targets }) => {
        const { by, method, requestId, account, at } = cause;
        const about = JSON.stringify(targets);
        return [revision, by, method, requestId ?? null, account ?? null, at, about];
      }),
    );
    for (const [account, own] of this.accounts) await appendAccountChanges(sql, account, own);
  }
}

function accountOf({ account }: AccountEntry): AccountId | undefined {
  return account;
}
