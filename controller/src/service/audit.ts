// Reads the audit log, newest first: who changed what. Every revision of the store has exactly one
// record, so a record's place in the log is its revision.
import type { AccountId } from "@railyard/lib/ids";
import type { AuditRow } from "../store/contract.js";
import type { ServiceContext } from "./context.js";

/** Records read from the store at a time. */
const WINDOW = 500n;

export interface AuditFilter {
  readonly account?: AccountId;
  readonly by?: string;
  /** Only records that changed this object. */
  readonly objectId?: string;
  /** Milliseconds; inclusive. */
  readonly from?: number;
  /** Milliseconds; exclusive. */
  readonly until?: number;
}

export interface AuditWish {
  readonly filter: AuditFilter;
  readonly limit: number;
  /** Go on with records older than this one. */
  readonly before: bigint | undefined;
  /** Gives up the walk; what it costs grows with the log. */
  readonly signal: AbortSignal;
}

export interface AuditPage {
  readonly rows: readonly AuditRow[];
  /** Records that match, on all pages. */
  readonly total: number;
  readonly more: boolean;
}

/** One page, newest first. A filtered list walks the whole log, to count what matches. */
export async function listAudit(ctx: ServiceContext, wish: AuditWish): Promise<AuditPage> {
  const newest = await ctx.store.revision();
  const isWhole = Object.keys(wish.filter).length === 0;
  const rows: AuditRow[] = [];
  let total = 0;
  let left = 0;
  for (let top = newest; top > 0n; top -= WINDOW) {
    wish.signal.throwIfAborted();
    const bottom = top > WINDOW ? top - WINDOW : 0n;
    const found = await ctx.store.read((tx) => tx.logs.audit(bottom, Number(top - bottom)));
    for (const row of [...found].reverse()) {
      if (!matches(row, wish.filter)) continue;
      total += 1;
      if (wish.before !== undefined && row.revision >= wish.before) continue;
      if (rows.length < wish.limit) rows.push(row);
      else left += 1;
    }
    if (isWhole && left > 0) break;
  }
  return { rows, total: isWhole ? Number(newest) : total, more: left > 0 };
}

function matches(row: AuditRow, { account, by, objectId, from, until }: AuditFilter): boolean {
  return (
    (account === undefined || row.account === account) &&
    (by === undefined || row.by === by) &&
    (objectId === undefined || row.targets.some((target) => target.endsWith(`/${objectId}`))) &&
    (from === undefined || row.at >= from) &&
    (until === undefined || row.at < until)
  );
}
