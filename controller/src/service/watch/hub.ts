// Follows the logs of the accounts that have readers: of each as soon as it grew, and of all by a
// period in case that was missed. Reads new rows in pages, once for all readers of an account.
// Knows no kind of object and no wire format.
import { type Clock, sleep } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import type { Log } from "@railyard/lib/log";
import { Loop } from "@railyard/lib/loop";
import {
  ACCOUNT_LOG,
  type AccountChangeRow,
  type AccountEntry,
  type ReadTx,
  type Store,
} from "../../store/contract.js";
import { Pages } from "./pages.js";
import { Reader } from "./reader.js";
import { bytesOf, RecentRows, type Room } from "./recent.js";

/** Upper bound between two looks at all the logs, milliseconds. */
export const WATCH_PERIOD_MS = 1_000;
/** Newest rows of an account kept for all its readers, and what they take in memory. */
export const SHARED: Room = { rows: 4_096, bytes: 8 * 1024 * 1024 };
/** The same of all accounts together, which share it evenly. */
export const SHARED_BYTES_OF_ALL = 128 * 1024 * 1024;
/**
 * Rows that a reader may fall behind the newest one; beyond that it is closed. Nothing is queued
 * for it meanwhile: what the shared rows no longer hold it is given from the log, which keeps more.
 */
export const BEHIND_ROWS_MAX = 8_192;
/** What is read of one account's log at a time, as it is stored; one row where that is larger. */
export const PAGE: Room = { rows: 128, bytes: 1024 * 1024 };
/** Most that one look at the logs of several accounts holds, bytes as stored. */
const LOOK_BYTES = 8 * 1024 * 1024;
/** How often a reader looks for room for its page, whoever leaves some, milliseconds. */
const ROOM_MS = 50;
/** Least time between two looks: changes that come thick are told together. Milliseconds. */
export const GATHER_MS = 20;
/** Readers of one account. */
export const READERS_MAX = 1_024;
/** Readers of all accounts. */
export const READERS_OF_ALL_MAX = 16_384;

/** A change with those that come with it although the log does not have them, in order. */
export type Complete = (entry: AccountEntry) => readonly AccountEntry[];

interface HubOptions {
  readonly store: Store;
  readonly complete: Complete;
  readonly clock: Clock;
  readonly log: Log;
}

/** What one account's readers share. */
interface Feed {
  readonly readers: Set<Reader>;
  /** Undefined until the log was first looked at. */
  recent: RecentRows | undefined;
  /** Who waits for news. */
  readonly waiting: Set<() => void>;
  /** Who waits for a page, or for room for it. */
  readonly crowded: Set<() => void>;
  /** One page is read at a time. */
  isReading: boolean;
}

interface Waiting {
  readonly ms: number;
  readonly signal: AbortSignal;
}

export class WatchHub {
  private readonly feeds = new Map<AccountId, Feed>();
  /** Accounts with readers whose logs have grown since they were looked at. */
  private readonly grown = new Set<AccountId>();
  private lookedAtAll = Number.NEGATIVE_INFINITY;
  private readonly loop: Loop;
  private readonly pages: Pages;
  private readers = 0;

  constructor(private readonly options: HubOptions) {
    const { clock, log, store } = options;
    const runOnce = (signal: AbortSignal) => this.follow(signal);
    this.pages = new Pages(clock, (account, { after, last }) =>
      [...(this.feeds.get(account)?.readers ?? [])].some(
        ({ revision }) => after <= revision && revision < last,
      ),
    );
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
    if (feed.readers.size >= READERS_MAX) throw tooMany(`the account has ${READERS_MAX}`);
    if (this.readers >= READERS_OF_ALL_MAX) throw tooMany(`the server has ${READERS_OF_ALL_MAX}`);
    const reader = new Reader(after);
    feed.readers.add(reader);
    this.readers += 1;
    this.loop.nudge();
    return reader;
  }

  leave(account: AccountId, reader: Reader): void {
    const feed = this.feeds.get(account);
    if (feed?.readers.delete(reader)) this.readers -= 1;
    if (feed) wake(feed.crowded);
    if (feed?.readers.size !== 0) return;
    this.feeds.delete(account);
    this.grown.delete(account);
  }

  /**
   * The rows after a reader's place that are in memory, in order and without a gap. They are not to
   * be kept while the reader is waited for.
   */
  atHand(account: AccountId, { revision }: Reader): readonly AccountChangeRow[] {
    const recent = this.feedOf(account).recent?.after(revision, PAGE.rows);
    return recent ?? this.pages.after(account, revision) ?? [];
  }

  /**
   * Resolves when there may be rows at hand for a reader that has none, after `ms`, or when
   * `signal` aborts. Throws `expired` when the log was cut off before the reader's place.
   */
  async arrive(account: AccountId, reader: Reader, limit: Waiting): Promise<void> {
    const feed = this.feedOf(account);
    const { recent } = feed;
    // It has left its page.
    wake(feed.crowded);
    if (!recent || reader.revision >= recent.head) {
      reader.live ||= recent !== undefined;
      await this.wokenBy(feed.waiting, limit);
      return;
    }
    // Whoever waits for that room comes first, however many rows this reader leaves out.
    await new Promise(setImmediate);
    await this.readFor(account, reader, { feed, signal: limit.signal });
  }

  /** Resolves once the rows that a reader stands before were read, by whomever. */
  private async readFor(
    account: AccountId,
    reader: Reader,
    { feed, signal }: { readonly feed: Feed; readonly signal: AbortSignal },
  ): Promise<void> {
    while (!signal.aborted && this.atHand(account, reader).length === 0) {
      if (feed.isReading || !this.pages.hasRoom(account, PAGE)) {
        await this.wokenBy(feed.crowded, { ms: ROOM_MS, signal });
        continue;
      }
      feed.isReading = true;
      try {
        this.pages.add(account, await this.page(account, reader.revision));
      } finally {
        feed.isReading = false;
        wake(feed.crowded);
      }
    }
  }

  private async page(account: AccountId, after: bigint): Promise<readonly AccountChangeRow[]> {
    const { rows, droppedTo } = await this.options.store.read(async (tx) => ({
      rows: this.completed(await tx.logs.accountChangesAfter(account, after, PAGE)),
      droppedTo: (await tx.logs.accountLog(account)).droppedTo,
    }));
    if (after < droppedTo) throw tooOld(after, droppedTo);
    return rows;
  }

  /** The rows as readers are told of them; throws `bug` where one of them is damaged. */
  private completed(rows: readonly AccountChangeRow[]): readonly AccountChangeRow[] {
    return rows.map((row) => ({ ...row, entries: row.entries.flatMap(this.options.complete) }));
  }

  /** The same; undefined, and logged, where one of them is damaged: others' readers go on. */
  private shareable(account: AccountId, rows: readonly AccountChangeRow[]) {
    try {
      return this.completed(rows);
    } catch (err) {
      this.options.log.error({ account, err }, "a change in an account's log cannot be told");
      return undefined;
    }
  }

  private feedOf(account: AccountId): Feed {
    const known = this.feeds.get(account);
    if (known) return known;
    const made: Feed = {
      ...{ readers: new Set(), recent: undefined, waiting: new Set(), crowded: new Set() },
      isReading: false,
    };
    this.feeds.set(account, made);
    this.grown.add(account);
    return made;
  }

  /** Resolves when those in the set are woken, after `ms`, or when `signal` aborts. */
  private wokenBy(sleeping: Set<() => void>, { ms, signal }: Waiting): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        sleeping.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.options.clock.after(ms, done);
      sleeping.add(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  /** One look at the logs that grew, now and then at all; again while one has a full page. */
  private async follow(signal: AbortSignal): Promise<void> {
    const now = this.clock.monotonic();
    if (now - this.lookedAtAll >= WATCH_PERIOD_MS) {
      for (const account of this.feeds.keys()) this.grown.add(account);
      this.lookedAtAll = now;
      this.pages.tidy();
    }
    while (this.grown.size > 0 && !signal.aborted && (await this.look())) {}
    if (this.feeds.size > 0) await sleep(this.clock, GATHER_MS, signal);
  }

  /** Takes one page of the logs that grew, of as many as may be held; whether there may be more. */
  private async look(): Promise<boolean> {
    const looks = await this.options.store.read((tx) => this.lookIn(tx));
    for (const { account, head, rows, newest } of looks) {
      const feed = this.feeds.get(account);
      if (!feed) continue;
      if (rows) this.take(feed, head, rows);
      else passOver(feed, newest);
      if (feed.recent && feed.recent.head < newest) this.grown.add(account);
    }
    return this.grown.size > 0;
  }

  /** Nothing is written meanwhile: what grows from now on comes in anew. */
  private async lookIn(tx: ReadTx): Promise<readonly Look[]> {
    const looks: Look[] = [];
    let bytes = 0;
    for (const account of this.grown) {
      if (bytes >= LOOK_BYTES) break;
      const { newest } = await tx.logs.accountLog(account);
      const head = this.feeds.get(account)?.recent?.head ?? newest;
      const stored = await tx.logs.accountChangesAfter(account, head, PAGE);
      this.grown.delete(account);
      const rows = this.shareable(account, stored);
      looks.push({ account, head, rows, newest });
      bytes += (rows ?? stored).reduce((sum, row) => sum + bytesOf(row), 0);
    }
    return looks;
  }

  private take(feed: Feed, head: bigint, rows: readonly AccountChangeRow[]): void {
    const first = feed.recent === undefined;
    feed.recent ??= new RecentRows(head);
    const bytes = Math.min(SHARED.bytes, SHARED_BYTES_OF_ALL / this.feeds.size);
    // Without anything new, too: its share is smaller once more accounts are watched.
    feed.recent.append(rows, { rows: SHARED.rows, bytes });
    if (rows.length === 0 && !first) return;
    for (const reader of feed.readers) {
      const behind = feed.recent.head - reader.revision;
      if (reader.live && behind > BigInt(BEHIND_ROWS_MAX)) reader.close();
    }
    wake(feed.waiting);
  }
}

/** What one look found in one log: rows after `head`, and how far the log goes. */
interface Look {
  readonly account: AccountId;
  readonly head: bigint;
  readonly newest: bigint;
  /** Undefined: they cannot be told. */
  readonly rows: readonly AccountChangeRow[] | undefined;
}

/** Shares nothing up to `newest`: readers behind it read for themselves, and are told. */
function passOver(feed: Feed, newest: bigint): void {
  feed.recent = new RecentRows(newest);
  wake(feed.waiting);
}

function wake(sleeping: ReadonlySet<() => void>): void {
  for (const done of [...sleeping]) done();
}

function tooMany(whoHas: string) {
  return refuse("exhausted", `${whoHas} open watches`, { reason: "TOO_MANY_STREAMS" });
}

function tooOld(revision: bigint, droppedTo: bigint) {
  return refuse("expired", `revision ${revision} is no longer kept: relist`, {
    reason: "REVISION_TOO_OLD",
    metadata: { oldest_revision: `${droppedTo}` },
  });
}
