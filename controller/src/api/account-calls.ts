// How many calls each account has under way: so many and no more, whatever it sends, so that what
// waits for the one store is never all one account's. Knows no RPC, and nothing of the store.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import type { Soon } from "@railyard/lib/soon";
import { AccountTurns } from "./account-turns.js";

/**
 * Calls of one account that may be under way. Two full commits hold as many (one is written while
 * the callers of the other are answered): more would bring an account nothing but waiting.
 */
export const ACCOUNT_CALLS_MAX = 512;
const RETRY_AFTER_MS = 500;

export class AccountCalls {
  private readonly underWay = new Map<AccountId, number>();
  private readonly turns = new AccountTurns();
  private readonly refusal: RailyardError;

  /** `most`: of one account; 0: as many as come. */
  constructor(private readonly most: number) {
    this.refusal = refuse("exhausted", `the account has ${most} calls under way; try again`, {
      reason: "TOO_MANY_CALLS",
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  /**
   * Runs a call, which counts until its work has ended: also when nobody waits for it any longer.
   * What is answered at once, from memory, never counts. Throws `exhausted` when the account has
   * too many.
   */
  run<T>(account: AccountId, serve: () => Soon<T>): Soon<T> {
    const others = this.underWay.get(account) ?? 0;
    if (others >= this.most && this.most > 0) throw this.refusal;
    const served = serve();
    if (served instanceof Promise) {
      this.underWay.set(account, others + 1);
      const end = () => this.end(account);
      served.then(end, end);
    }
    return served;
  }

  /**
   * The same for a read that is dear: it is under way while it waits for its account's turn, or
   * until `gone` aborts.
   */
  runInTurn<T>(account: AccountId, serve: () => Soon<T>, gone: () => AbortSignal): Soon<T> {
    return this.run(account, () => this.turns.run(account, serve, gone));
  }

  private end(account: AccountId): void {
    const left = (this.underWay.get(account) ?? 1) - 1;
    if (left > 0) this.underWay.set(account, left);
    else this.underWay.delete(account);
  }
}
