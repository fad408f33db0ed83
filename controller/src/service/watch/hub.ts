// Follows the logs of the accounts that have readers: of each as soon as it grew, and of all by a
// period in case that was missed. Reads new rows in pages, once for all readers of an account.
// Knows no kind of object and no wire format.
import { type Clock, sleep } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import type { Log } from "@railyard/lib/log";
import { Loop } from "@railyard/lib/loop";
import { ACCOUNT_LOG, type AccountChangeRow, type Store } from "../../store/contract.js";
import { Reader, RecentRows } from "./reader.js";

/** Upper bound between two looks at all the logs, milliseconds. */
export const WATCH_PERIOD_MS = 1_000;
/** Newest rows of an account kept for all its readers, and their bytes. */
export const SHARED = { rows: 4_096, bytes: 4 * 1024 * 1024 };
/**
 * Rows that a reader may fall behind the newest one; beyond that it is closed. Nothing is queued
 * for it meanwhile: what the shared rows no longer hold it is given from the log, which keeps more.
 */
export const BEHIND_ROWS_MAX = 8_192;
/** Rows of one account read at a time. */
export const PAGE_ROWS = 128;
/** Rows read at a time for one reader alone, which so holds less than all share. */
const OWN_ROWS = 32;
/** Least time between two looks: changes that come thick are told together. Milliseconds. */
export const GATHER_MS = 20;
/** Readers of one account. */
export const READERS_MAX = 1_024;

interface HubOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/** What one account's readers share. */
interface Feed {
  readonly readers: Set<Reader>;
  /** Undefined until the log was first looked at. */
  recent: RecentRows | undefined;
  readonly waiting: Set<() => void>;
}

export class WatchHub {
  private readonly feeds = new Map<AccountId, Feed>();
  /** Accounts with readers whose logs have grown since they were looked at. */
  private readonly grown = new Set<AccountId>();
  private lookedAtAll = Number.NEGATIVE_INFINITY;
  private readonly loop: Loop;

  constructor(private readonly options: HubOptions) {
    const { clock, log, store } = options;
    const runOnce = (signal: AbortSignal) => this.follow(signal);
    this.loop = new Loop({ name: "watch", clock, log, periodMs: WATCH_PERIOD_MS, runOnce });
    store.onTouch(({ kind, id }) => {
      if (kind === ACCOUNT_LOG && this.feeds.has(id as AccountId)) this.grown.add(id as AccountId);
    });
    store.onCommit(() => {
      if (this.grown.size > 0) this.loop.nudge();
    });
  }

  get clock(): Clock {
    return this.options.clock;
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /**
   * A reader of what comes after `from`, or after now. Leave it when done. Errors: `expired` when
   * that is no longer kept or lies in the future, `exhausted` when the account has too many.
   */
  async join(account: AccountId, from: bigint | undefined): Promise<Reader> {
    const { newest, droppedTo } = await this.options.store.read((tx) =>
      tx.logs.accountLog(account),
    );
    const after = from ?? newest;
    if (after < droppedTo) throw tooOld(after, droppedTo);
    if (after > newest) {
      throw refuse("expired", `revision ${after} has not come yet: relist`, {
        reason: "REVISION_UNKNOWN",
        metadata: { newest_revision: `${newest}` },
      });
    }
    const feed = this.feedOf(account);
    if (feed.readers.size >= READERS_MAX) {
      throw refuse("exhausted", `the account has ${READERS_MAX} open watches`, {
        reason: "TOO_MANY_STREAMS",
      });
    }
    const reader = new Reader(after);
    feed.readers.add(reader);
    this.loop.nudge();
    return reader;
  }

  leave(account: AccountId, reader: Reader): void {
    const feed = this.feeds.get(account);
    feed?.readers.delete(reader);
    if (feed?.readers.size !== 0) return;
    this.feeds.delete(account);
    this.grown.delete(account);
  }

  /**
   * The next rows for a reader, in order and without a gap; none when nothing came within `ms`, or
   * `signal` aborted. Throws `expired` when the log was cut off before the reader's place.
   */
  async next(
    account: AccountId,
    reader: Reader,
    limit: { readonly ms: number; readonly signal: AbortSignal },
  ): Promise<readonly AccountChangeRow[]> {
    const feed = this.feedOf(account);
    if (feed.recent && reader.revision >= feed.recent.head) {
      reader.live = true;
      await this.changed(feed, limit);
    }
    const recent = feed.recent?.after(reader.revision, PAGE_ROWS);
    if (recent) {
      reader.live = true;
      return recent;
    }
    reader.closed.throwIfAborted();
    const rows = await this.page(account, reader.revision);
    if (rows.length === 0) await this.changed(feed, limit);
    return rows;
  }

  private async page(account: AccountId, after: bigint): Promise<readonly AccountChangeRow[]> {
    const { rows, droppedTo } = await this.options.store.read(async (tx) => ({
      rows: await tx.logs.accountChangesAfter(account, after, OWN_ROWS),
      droppedTo: (await tx.logs.accountLog(account)).droppedTo,
    }));
    if (after < droppedTo) throw tooOld(after, droppedTo);
    return rows;
  }

  private feedOf(account: AccountId): Feed {
    const known = this.feeds.get(account);
    if (known) return known;
    const made: Feed = { readers: new Set(), recent: undefined, waiting: new Set() };
    this.feeds.set(account, made);
    this.grown.add(account);
    return made;
  }

  /** Resolves on the feed's next rows, after `ms`, or when `signal` aborts. */
  private changed(
    feed: Feed,
    { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
  ): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        feed.waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.options.clock.after(ms, done);
      feed.waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  /** One look at the logs that grew, now and then at all; again while one has a full page. */
  private async follow(signal: AbortSignal): Promise<void> {
    const now = this.clock.monotonic();
    if (now - this.lookedAtAll >= WATCH_PERIOD_MS) {
      for (const account of this.feeds.keys()) this.grown.add(account);
      this.lookedAtAll = now;
    }
    while (this.grown.size > 0 && !signal.aborted && (await this.look())) {}
    if (this.feeds.size > 0) await sleep(this.clock, GATHER_MS, signal);
  }

  /** Takes one page of each log that grew; whether there may be more. */
  private async look(): Promise<boolean> {
    const pages = await this.options.store.read(async (tx) => {
      const found: { account: AccountId; head: bigint; rows: readonly AccountChangeRow[] }[] = [];
      for (const account of this.grown) {
        const recent = this.feeds.get(account)?.recent;
        const head = recent?.head ?? (await tx.logs.accountLog(account)).newest;
        const rows = await tx.logs.accountChangesAfter(account, head, PAGE_ROWS);
        found.push({ account, head, rows });
      }
      // Nothing is written while this reads: what grows from now on comes in anew.
      this.grown.clear();
      return found;
    });
    let more = false;
    for (const { account, head, rows } of pages) {
      const feed = this.feeds.get(account);
      if (!feed) continue;
      this.take(feed, head, rows);
      if (rows.length < PAGE_ROWS) continue;
      this.grown.add(account);
      more = true;
    }
    return more;
  }

  private take(feed: Feed, head: bigint, rows: readonly AccountChangeRow[]): void {
    const first = feed.recent === undefined;
    feed.recent ??= new RecentRows(head, SHARED);
    if (rows.length === 0 && !first) return;
    feed.recent.append(rows);
    for (const reader of feed.readers) {
      const behind = feed.recent.head - reader.revision;
      if (reader.live && behind > BigInt(BEHIND_ROWS_MAX)) reader.close();
    }
    for (const wake of [...feed.waiting]) wake();
  }
}

function tooOld(revision: bigint, droppedTo: bigint) {
  return refuse("expired", `revision ${revision} is no longer kept: relist`, {
    reason: "REVISION_TOO_OLD",
    metadata: { oldest_revision: `${droppedTo}` },
  });
}
