// What accounts may have at most: read and set by operators. Taking from a quota is the stores'
// counters' work, in the transaction of the create.
import { canonicalJson, sha256Hex } from "@railyard/lib/canonical";
import { refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import { Faults } from "../domain/faults.js";
import type { QuotaSubject } from "../domain/quota.js";
import type { QuotaCount, ReadTx } from "../store/contract.js";
import type { Mutation, ServiceContext } from "./context.js";
import { mutate } from "./mutate.js";

export interface QuotaView {
  readonly account: AccountId;
  readonly counts: readonly QuotaCount[];
  readonly etag: string;
}

/** The quotas of an account, whether or not it ever had anything. */
export function getQuota(ctx: ServiceContext, account: AccountId): Promise<QuotaView> {
  return ctx.store.read((tx) => viewOf(tx, account));
}

export interface SetQuota {
  readonly account: AccountId;
  /** Empty: whatever is there. */
  readonly etag: string;
  /** Each subject once; the others stay. */
  readonly limits: readonly Limit[];
}

interface Limit {
  /** Undefined: one that is not known here. */
  readonly subject: QuotaSubject | undefined;
  readonly limit: number;
}

/**
 * Sets limits; what an account has beyond a lowered one it keeps. Errors: `invalid` for each
 * subject that is unknown or named twice; `conflict` ETAG_MISMATCH.
 */
export function setQuota<A>(
  ctx: ServiceContext,
  call: Mutation<QuotaView, A>,
  { account, etag, limits }: SetQuota,
): Promise<A> {
  const wanted = checkLimits(limits);
  return mutate(ctx, call, async (tx, { tell }) => {
    const before = await viewOf(tx, account);
    if (etag !== "" && etag !== before.etag) {
      throw refuse("conflict", `the quotas of ${account} have changed since their etag was read`, {
        reason: "ETAG_MISMATCH",
        resource: { type: "quota", id: account },
      });
    }
    for (const [subject, limit] of wanted) {
      await tx.account(account).quotas.setLimit(subject, limit);
    }
    tell({ account, limits }, "quotas set");
    return viewOf(tx, account);
  });
}

/** The limit of each subject; throws every bad field at once. */
function checkLimits(limits: readonly Limit[]): ReadonlyMap<QuotaSubject, number> {
  const faults = new Faults();
  const wanted = new Map<QuotaSubject, number>();
  for (const [i, { subject, limit }] of limits.entries()) {
    const field = `limits[${i}].subject`;
    if (!subject) faults.invalid(field, "is nothing that this server counts");
    else if (wanted.has(subject)) faults.invalid(field, "is named twice");
    else wanted.set(subject, limit);
  }
  faults.throwIfAny();
  return wanted;
}

async function viewOf(tx: ReadTx, account: AccountId): Promise<QuotaView> {
  const counts = await tx.account(account).quotas.counts();
  const limits = counts.map(({ subject, limit }) => ({ subject, limit }));
  const etag = sha256Hex(canonicalJson({ account, limits })).slice(0, 16);
  return { account, counts, etag };
}
