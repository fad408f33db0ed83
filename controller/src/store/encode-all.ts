// After an upgrade: makes every tenant object's public bytes anew, for objects that had none yet
// and for those that this program shows otherwise than the one before. Knows no format.
import { BatchLog } from "./batch-log.js";
import type { ChangeEntry, Encode } from "./contract.js";
import { type EncodeNow, withObjects } from "./encoded.js";
import { type Sql, toBigint, toText } from "./sql.js";
import { openTransaction } from "./transaction.js";
import { Work } from "./work.js";

/** Objects encoded at a time. */
const PAGE = 500;

/** What the change log calls the rows of each table. */
const KINDS = {
  cluster_networks: "clusterNetwork",
  subnets: "subnet",
  reserved_ips: "reservedIp",
  interfaces: "interface",
  instances: "instance",
  attachments: "attachment",
  holds: "hold",
} as const;

/**
 * Keeps the bytes of all objects, and tells accounts' watchers of those that differ. Its cost grows
 * with the database. `at`: wall time, milliseconds.
 */
export async function encodeAll(sql: Sql, encode: Encode, at: number): Promise<void> {
  const now: EncodeNow = (entries) => encode(openTransaction(new Work(sql, false)), entries);
  const revision = toBigint((await sql.get("SELECT value FROM revision"))?.value);
  for (const [table, kind] of Object.entries(KINDS)) {
    for (let last = ""; ; ) {
      const entries = await page(sql, { table, kind, after: last });
      const log = new BatchLog(sql);
      log.show(await withObjects((of) => log.object(of), now, entries), { revision, at });
      await log.write();
      if (entries.length < PAGE) break;
      last = entries.at(-1)?.id ?? "";
    }
  }
}

async function page(
  sql: Sql,
  from: { readonly table: string; readonly kind: string; readonly after: string },
): Promise<readonly ChangeEntry[]> {
  const rows = await sql.all(
    `SELECT id, account FROM ${from.table} WHERE id > ? ORDER BY id LIMIT ${PAGE}`,
    [from.after],
  );
  return rows.map((row) => {
    const { kind } = from;
    return { kind, id: toText(row.id), account: toText(row.account), op: "updated" };
  });
}
