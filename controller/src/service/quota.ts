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
  readonly limits: readonly { readonly subject: QuotaSubject; readonly limit: number }[];
}

/**
 * Sets limits; what an account has beyond a lowered one it keeps. Errors: `invalid` for a subject
 * that is named twice; `conflict` ETAG_MISMATCH.
 */
export function setQuota<A>(
  ctx: ServiceContext,
  call: Mutation<QuotaView, A>,
  { account, etag, limits }: SetQuota,
): Promise<A> {
  return mutate(ctx, call, async (tx, { tell }) => {
    const before = await viewOf(tx, account);
    if (etag !== "" && etag !== before.etag) {
      throw refuse("conflict", `the quotas of ${account} have changed since their etag was read`, {
        reason: "ETAG_MISMATCH",
        resource: { type: "quota", id: account },
      });
    }
    const faults = new Faults();
    for (const [i, { subject }] of limits.entries()) {
      const first = limits.findIndex((other) => other.subject === subject);
      if (first !== i) faults.invalid(`limits[${i}].subject`, "is named twice");
    }
    faults.throwIfAny();
    for (const { subject, limit } of limits) {
      await tx.account(account).quotas.setLimit(subject, limit);
    }
    tell({ account, limits }, "quotas set");
    return viewOf(tx, account);
  });
}

async function viewOf(tx: ReadTx, account: AccountId): Promise<QuotaView> {
  const counts = await tx.account(account).quotas.counts();
  const limits = counts.map(({ subject, limit }) => ({ subject, limit }));
  const etag = sha256Hex(canonicalJson({ account, limits })).slice(0, 16);
  return { account, counts, etag };
}
