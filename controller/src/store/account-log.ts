// The log of one account: its own revisions 1, 2, 3 … without gaps, each with the objects that
// changed. Entries are JSON, their objects' bytes stand behind each other in one column. The oldest
// rows are dropped, by count and by bytes: what is kept is always the newest part without a hole.
import type { AccountId } from "@railyard/lib/ids";
import type { AccountChangeRow, AccountEntry, AccountLog, LogPage } from "./contract.js";
import { type Sql, type SqlRow, toBigint, toNumber, toText } from "./sql.js";

/** Newest rows kept of each account's log unless they are large; `expire` drops the rest. */
export const ACCOUNT_LOG_ROWS = 10_000;
/** Bytes that an account's log keeps at most as stored, or its newest row where that is larger. */
export const ACCOUNT_LOG_BYTES = 64 * 1024 * 1024;
/** Rows of a log that is too large that are looked at in one go. */
const DROP_ROWS = 256;
/** What a row takes; told without reading it. */
const ROW_BYTES = "octet_length(entries) + octet_length(objects)";

/** An entry as stored: with the length of its object instead of the object. */
interface Stored extends Omit<AccountEntry, "object"> {
  readonly bytes?: number;
}

/** What changed of an account's objects in one write. */
export type AccountChange = Omit<AccountChangeRow, "accountRevision">;

/** Where an account's log ends, and what all that it keeps takes. */
interface Head {
  readonly newest: bigint;
  readonly bytes: bigint;
}

/**
 * Appends one row for each, under the account's next revisions; drops the oldest rows should the
 * log be too large then.
 */
export async function appendAccountChanges(
  sql: Sql,
  account: AccountId,
  changes: readonly AccountChange[],
): Promise<void> {
  let bytes = 0;
  const rows = changes.map(({ revision, at, entries }) => {
    const text = JSON.stringify(entries.map(stored));
    const objects = objectsOf(entries);
    bytes += Buffer.byteLength(text) + objects.length;
    return { revision, at, text, objects };
  });
  const head = await advance(sql, account, {
    newest: BigInt(rows.length),
    bytes: BigInt(bytes),
  });
  const before = head.newest - BigInt(rows.length);
  await sql.runEach(
    `INSERT INTO account_changes (account, account_revision, revision, at, entries, objects)
     VALUES (?, ?, ?, ?, ?, ?)`,
    rows.map(({ revision, at, text, objects }, i) => {
      return [account, before + BigInt(i + 1), revision, at, text, objects];
    }),
  );
  if (head.bytes > ACCOUNT_LOG_BYTES) await dropOldest(sql, account, head);
}

/** Where the account's log ends once so much was added. */
async function advance(sql: Sql, account: AccountId, by: Head): Promise<Head> {
  const row = await sql.get(
    `INSERT INTO account_revisions (account, value, bytes) VALUES (?, ?, ?)
     ON CONFLICT (account) DO UPDATE SET value = account_revisions.value + excluded.value,
       bytes = account_revisions.bytes + excluded.bytes
     RETURNING value, bytes`,
    [account, by.newest, by.bytes],
  );
  return { newest: toBigint(row?.value), bytes: toBigint(row?.bytes) };
}

/** Drops as many of the oldest rows as it takes, but never the newest one. */
async function dropOldest(sql: Sql, account: AccountId, { newest, bytes }: Head): Promise<void> {
  for (let left = bytes; left > ACCOUNT_LOG_BYTES; ) {
    const oldest = await sql.all(
      `SELECT account_revision, ${ROW_BYTES} AS bytes FROM account_changes
       WHERE account = ? AND account_revision < ? ORDER BY account_revision LIMIT ?`,
      [account, newest, DROP_ROWS],
    );
    let last: bigint | undefined;
    for (const row of oldest) {
      if (left <= ACCOUNT_LOG_BYTES) break;
      left -= toBigint(row.bytes);
      last = toBigint(row.account_revision);
    }
    if (last === undefined) return;
    await dropTo(sql, account, last);
  }
}

/** Drops the rows up to a revision; answers how many went. */
async function dropTo(sql: Sql, account: AccountId, revision: bigint): Promise<number> {
  const upTo = "account = ? AND account_revision <= ?";
  const of = [account, revision];
  const old = await sql.get(
    `SELECT sum(${ROW_BYTES}) AS bytes FROM account_changes WHERE ${upTo}`,
    of,
  );
  // Nothing is written for nothing: that would be a change of the store.
  if (typeof old?.bytes !== "bigint") return 0;
  await sql.run("UPDATE account_revisions SET bytes = bytes - ? WHERE account = ?", [
    old.bytes,
    account,
  ]);
  return sql.run(`DELETE FROM account_changes WHERE ${upTo}`, of);
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
    `SELECT ${ROW_BYTES} AS bytes
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
  const head = await sql.get("SELECT value FROM account_revisions WHERE account = ?", [account]);
  const newest = toBigint(head?.value ?? 0n);
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
    const last = toBigint(row.value) - BigInt(ACCOUNT_LOG_ROWS);
    dropped += await dropTo(sql, toText(row.account), last);
  }
  return dropped;
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
