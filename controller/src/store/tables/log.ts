// Reads of the change log, the account logs and the audit log, and the end of the first; writing
// them is the transaction's own work.
import type { AccountId } from "@railyard/lib/ids";
import { readAccountChanges, readAccountLog } from "../account-log.js";
import type {
  AccountChangeRow,
  AccountLog,
  AuditRow,
  ChangeEntry,
  ChangeRow,
  LogPage,
  Logs,
} from "../contract.js";
import { type Sql, type SqlRow, toBigint, toNumber, toText } from "../sql.js";
import { fromJson, type Work } from "../work.js";

/** Newest revisions kept of the change log, for whoever follows it; `expire` drops the rest. */
export const CHANGES_KEPT = 100_000;
/** Rows of it that are dropped at a time: a write has others behind it. */
export const DROPPED_AT_ONCE = 10_000;

/** Drops the oldest rows of the change log at `revision`; answers how many went. */
export function trimChanges(sql: Sql, revision: bigint): Promise<number> {
  return sql.run(
    `DELETE FROM changes WHERE revision IN
      (SELECT revision FROM changes WHERE revision <= ? ORDER BY revision LIMIT ?)`,
    [revision - BigInt(CHANGES_KEPT), DROPPED_AT_ONCE],
  );
}

export class ReadLogs implements Logs {
  constructor(private readonly work: Work) {}

  async changesAfter(revision: bigint, limit: number): Promise<readonly ChangeRow[]> {
    const rows = await this.work.sql.all(
      "SELECT * FROM changes WHERE revision > ? ORDER BY revision LIMIT ?",
      [revision, limit],
    );
    return rows.map(asChange);
  }

  async accountChangesAfter(
    account: AccountId,
    revision: bigint,
    page: LogPage,
  ): Promise<readonly AccountChangeRow[]> {
    return readAccountChanges(this.work.sql, account, { after: revision, ...page });
  }

  async accountLog(account: AccountId): Promise<AccountLog> {
    return readAccountLog(this.work.sql, account);
  }

  async audit(after: bigint, limit: number): Promise<readonly AuditRow[]> {
    const rows = await this.work.sql.all(
      "SELECT * FROM audit WHERE revision > ? ORDER BY revision LIMIT ?",
      [after, limit],
    );
    return rows.map(asAudit);
  }
}

function asChange(row: SqlRow): ChangeRow {
  return {
    revision: toBigint(row.revision),
    at: toNumber(row.at),
    entries: fromJson<ChangeEntry[]>(row, "entries"),
  };
}

function asAudit(row: SqlRow): AuditRow {
  return {
    revision: toBigint(row.revision),
    by: toText(row.caller),
    method: toText(row.method),
    at: toNumber(row.at),
    targets: fromJson<string[]>(row, "targets"),
    ...(row.request_id !== null && { requestId: toText(row.request_id) }),
    ...(row.account !== null && { account: toText<AccountId>(row.account) }),
  };
}
