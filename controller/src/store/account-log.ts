// The log of one account: its own revisions 1, 2, 3 … without gaps, each with the objects that
// changed. Entries are JSON, their objects' bytes stand behind each other in one column. Old rows
// are dropped by count, so that what is kept is always the newest part without a hole.
import type { AccountId } from "@railyard/lib/ids";
import type { AccountChangeRow, AccountEntry, AccountLog, LogPage } from "./contract.js";
import { type Sql, type SqlRow, toBigint, toNumber, toText } from "./sql.js";

/** Newest rows kept of each account's log, at least; the rest goes with the next `expire`. */
export const ACCOUNT_LOG_ROWS = 10_000;

/** An entry as stored: with the length of its object instead of the object. */
interface Stored extends Omit<AccountEntry, "object"> {
  readonly bytes?: number;
}

/** What changed of an account's objects in one write. */
export type AccountChange = Omit<AccountChangeRow, "accountRevision">;

/** Appends one row for each, under the account's next revisions. */
export async function appendAccountChanges(
  sql: Sql,
  account: AccountId,
  changes: readonly AccountChange[],
): Promise<void> {
  const before = await newestRevision(sql, account);
  await sql.run(
    `INSERT INTO account_revisions (account, value) VALUES (?, ?)
     ON CONFLICT (account) DO UPDATE SET value = excluded.value`,
    [account, before + BigInt(changes.length)],
  );
  await sql.runEach(
    `INSERT INTO account_changes (account, account_revision, revision, at, entries, objects)
     VALUES (?, ?, ?, ?, ?, ?)`,
    changes.map(({ revision, at, entries }, i) => {
      const own = before + BigInt(i + 1);
      return [account, own, revision, at, JSON.stringify(entries.map(stored)), objectsOf(entries)];
    }),
  );
}

function stored({ kind, id, account, op, object }: AccountEntry): Stored {
  return object ? { kind, id, account, op, bytes: object.length } : { kind, id, account, op };
}

function objectsOf(entries: readonly AccountEntry[]): Uint8Array {
  return Buffer.concat(entries.flatMap(({ object }) => object ?? []));
}

/** The rows after a revision, in order, as far as the page goes. */
export async function readAccountChanges(
  sql: Sql,
  account: AccountId,
  page: LogPage & { readonly after: bigint },
): Promise<readonly AccountChangeRow[]> {
  const limit = page.bytes === undefined ? page.rows : await fitting(sql, account, page);
  const rows = await sql.all(
    `SELECT * FROM account_changes WHERE account = ? AND account_revision > ?
     ORDER BY account_revision LIMIT ?`,
    [account, page.after, limit],
  );
  return rows.map(asAccountChange);
}

/** How many of the rows the page holds: their sizes are known without reading them. */
async function fitting(
  sql: Sql,
  account: AccountId,
  { after, rows: most, bytes = 0 }: LogPage & { readonly after: bigint },
): Promise<number> {
  const sizes = await sql.all(
    `SELECT octet_length(entries) + ifnull(octet_length(objects), 0) AS bytes
     FROM account_changes WHERE account = ? AND account_revision > ?
     ORDER BY account_revision LIMIT ?`,
    [account, after, most],
  );
  let left = bytes;
  const over = sizes.findIndex((row) => {
    left -= toNumber(row.bytes);
    return left < 0;
  });
  return over === -1 ? sizes.length : Math.max(1, over);
}

/** How far the account's log reaches. */
export async function readAccountLog(sql: Sql, account: AccountId): Promise<AccountLog> {
  const newest = await newestRevision(sql, account);
  const row = await sql.get(
    `SELECT account_revision FROM account_changes WHERE account = ?
     ORDER BY account_revision LIMIT 1`,
    [account],
  );
  return { newest, droppedTo: row ? toBigint(row.account_revision) - 1n : newest };
}

/** Drops all but the newest ACCOUNT_LOG_ROWS of every account; answers how many rows went. */
export async function trimAccountLogs(sql: Sql): Promise<number> {
  const long = await sql.all("SELECT account, value FROM account_revisions WHERE value > ?", [
    ACCOUNT_LOG_ROWS,
  ]);
  let dropped = 0;
  for (const row of long) {
    dropped += await sql.run(
      "DELETE FROM account_changes WHERE account = ? AND account_revision <= ?",
      [toText(row.account), toBigint(row.value) - BigInt(ACCOUNT_LOG_ROWS)],
    );
  }
  return dropped;
}

async function newestRevision(sql: Sql, account: AccountId): Promise<bigint> {
  const row = await sql.get("SELECT value FROM account_revisions WHERE account = ?", [account]);
  return row ? toBigint(row.value) : 0n;
}

function asAccountChange(row: SqlRow): AccountChangeRow {
  return {
    accountRevision: toBigint(row.account_revision),
    revision: toBigint(row.revision),
    at: toNumber(row.at),
    entries: entriesOf(row),
  };
}

function entriesOf(row: SqlRow): readonly AccountEntry[] {
  const objects = row.objects instanceof Uint8Array ? row.objects : new Uint8Array();
  let from = 0;
  return (JSON.parse(toText(row.entries)) as Stored[]).map(({ kind, id, account, op, bytes }) => {
    if (bytes === undefined) return { kind, id, account, op };
    const object = objects.subarray(from, from + bytes);
    from += bytes;
    return { kind, id, account, op, object };
  });
}
