// Dear reads of each account: a few of them are worked on at the same time, the others wait for
// those of their own account, so that nobody else waits for all of them. Knows no RPC.
import { refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import type { Soon } from "@railyard/lib/soon";

/** How many of one account are worked on at the same time: some milliseconds of others' waiting. */
export const AT_WORK_MAX = 8;
/** Most of one account that wait; accounts are bounded to fewer calls unless that is set higher. */
export const TURNS_WAITING_MAX = 8_192;
const RETRY_AFTER_MS = 1_000;

interface Line {
  atWork: number;
  /** Each begins one that waits; first come, first served. */
  readonly waiting: Set<() => void>;
}

export class AccountTurns {
  /** Of accounts that have one at work. */
  private readonly lines = new Map<AccountId, Line>();

  /**
   * Serves when it is the account's turn; whoever is gone before leaves the line. Throws
   * `unavailable` when too many wait already, and what `gone` aborts with.
   */
  async run<T>(account: AccountId, serve: () => Soon<T>, gone?: () => AbortSignal): Promise<T> {
    const line = this.lineOf(account);
    if (line.atWork < AT_WORK_MAX) line.atWork += 1;
    else await turnIn(line, gone?.());
    try {
      return await serve();
    } finally {
      this.leave(account, line);
    }
  }

  private lineOf(account: AccountId): Line {
    const known = this.lines.get(account);
    if (known) return known;
    const line: Line = { atWork: 0, waiting: new Set() };
    this.lines.set(account, line);
    return line;
  }

  private leave(account: AccountId, line: Line): void {
    const [next] = line.waiting;
    // Whoever waits longest gets the place.
    if (next) next();
    else line.atWork -= 1;
    if (line.atWork === 0) this.lines.delete(account);
  }
}

function turnIn({ waiting }: Line, gone: AbortSignal | undefined): Promise<void> {
  gone?.throwIfAborted();
  if (waiting.size >= TURNS_WAITING_MAX) {
    throw refuse("unavailable", "too many reads of the account wait; try again", {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
  return new Promise((resolve, reject) => {
    const leave = () => {
      waiting.delete(begin);
      gone?.removeEventListener("abort", giveUp);
    };
    const begin = () => {
      leave();
      resolve();
    };
    const giveUp = () => {
      leave();
      reject(gone?.reason);
    };
    waiting.add(begin);
    gone?.addEventListener("abort", giveUp);
  });
}
