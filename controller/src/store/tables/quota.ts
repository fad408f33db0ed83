// Quota counters of one account. The database itself refuses to pass a limit; defaults are the
// domain's, a row of quota_limits overrides one.
import { bug, type RailyardError, refuse } from "@railyard/lib/errors";
import type { AccountId, ClusterNetworkId } from "@railyard/lib/ids";
import { DEFAULT_QUOTAS, QUOTA_SUBJECTS, type QuotaSubject } from "../../domain/quota.js";
import type { QuotaCount, Quotas } from "../contract.js";
import { toNumber } from "../sql.js";
import type { Work } from "../work.js";

const COUNTER = "account = ? AND subject = ? AND within = ?";

export class QuotaCounters implements Quotas {
  constructor(
    private readonly work: Work,
    private readonly account: AccountId | undefined,
  ) {}

  async take(subject: QuotaSubject, n: number, within?: ClusterNetworkId): Promise<void> {
    const key = this.keyOf(subject, within);
    const limit = await this.limitOf(subject);
    const { sql } = this.work;
    const taken = await sql.run(
      `UPDATE quota_counts SET used = used + ? WHERE ${COUNTER} AND used + ? <= ?`,
      [n, ...key, n, limit],
    );
    if (taken > 0) return;
    // The first that is taken has no row yet.
    const used = await this.usedOf(key);
    if (used + n > limit) throw exceeded(subject, limit, used);
    await sql.run("INSERT INTO quota_counts (account, subject, within, used) VALUES (?, ?, ?, ?)", [
      ...key,
      n,
    ]);
  }

  async giveBack(subject: QuotaSubject, n: number, within?: ClusterNetworkId): Promise<void> {
    const key = this.keyOf(subject, within);
    const { sql } = this.work;
    const given = await sql.run(
      `UPDATE quota_counts SET used = used - ? WHERE ${COUNTER} AND used >= ?`,
      [n, ...key, n],
    );
    if (given === 0) throw bug(`more ${subject} were given back than taken`);
    await sql.run(`DELETE FROM quota_counts WHERE ${COUNTER} AND used = 0`, key);
  }

  async counts(): Promise<readonly QuotaCount[]> {
    const counts: QuotaCount[] = [];
    for (const subject of QUOTA_SUBJECTS) {
      const row = await this.work.sql.get(
        "SELECT max(used) AS used FROM quota_counts WHERE account = ? AND subject = ?",
        [this.owner(), subject],
      );
      const used = row?.used == null ? 0 : toNumber(row.used);
      counts.push({ subject, limit: await this.limitOf(subject), used });
    }
    return counts;
  }

  async setLimit(subject: QuotaSubject, limit: number): Promise<void> {
    const account = this.owner();
    const changed = await this.work.sql.run(
      `INSERT INTO quota_limits (account, subject, quota) VALUES (?, ?, ?)
       ON CONFLICT (account, subject) DO UPDATE SET quota = excluded.quota
       WHERE quota_limits.quota <> excluded.quota`,
      [account, subject, limit],
    );
    // Operators' business: not an object of the account's own log.
    if (changed > 0) {
      this.work.note({ kind: "quota", id: account, account: undefined, op: "updated" });
    }
  }

  private owner(): AccountId {
    if (!this.account) throw bug("a quota belongs to one account");
    return this.account;
  }

  private keyOf(subject: QuotaSubject, within: ClusterNetworkId | undefined): readonly string[] {
    return [this.owner(), subject, within ?? ""];
  }

  private async limitOf(subject: QuotaSubject): Promise<number> {
    const account = this.owner();
    return this.work.declared(`quota/${account}/${subject}`, async () => {
      const row = await this.work.sql.get(
        "SELECT quota FROM quota_limits WHERE account = ? AND subject = ?",
        [account, subject],
      );
      return row ? toNumber(row.quota) : DEFAULT_QUOTAS[subject];
    });
  }

  private async usedOf(key: readonly string[]): Promise<number> {
    const row = await this.work.sql.get(`SELECT used FROM quota_counts WHERE ${COUNTER}`, key);
    return row ? toNumber(row.used) : 0;
  }
}

function exceeded(subject: QuotaSubject, limit: number, used: number): RailyardError {
  return refuse("exhausted", `quota of ${subject} exceeded: limit ${limit}, used ${used}`, {
    reason: "QUOTA_EXCEEDED",
    quota: { subject, limit, used },
  });
}
