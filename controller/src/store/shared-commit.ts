// Who runs when on the one connection: waiting reads, then one batch of waiting writes that share a
// commit, in turns, so that neither starves. Knows transactions, but no table and no engine.
import type { Clock } from "@railyard/lib/clock";
import { bug, type RailyardError, refuse } from "@railyard/lib/errors";
import type { AccountId, InstanceId } from "@railyard/lib/ids";
import type { Log } from "@railyard/lib/log";
import type { Soon } from "@railyard/lib/soon";
import { BatchLog, type Change } from "./batch-log.js";
import type { Cause, Encode, ReadTx, Store, WriteTx } from "./contract.js";
import { DeclaredCache } from "./declared-cache.js";
import { type EncodeNow, type Kept, withObjects } from "./encoded.js";
import { FairLine, type InLine } from "./fair-line.js";
import { Gathering } from "./gathering.js";
import { KnownRows } from "./known-rows.js";
import { ShownCache } from "./shown-cache.js";
import { type Engine, inSavepoint, toBigint } from "./sql.js";
import { type Touch, Touches } from "./touches.js";
import { openTransaction } from "./transaction.js";
import { type Show, Work } from "./work.js";

/** Writes that share one commit, at most. */
export const BATCH_MAX = 256;
/** After this long, milliseconds, a batch takes no further write. */
export const BATCH_MS = 40;
/** Reads, accounts' writes, and the provider's own, that may wait at the same time. */
export const WAITING_MAX = 8_192;
const RETRY_AFTER_MS = 200;

/** Counted since the store was opened. */
export interface StoreStats {
  /** Durable commits; fewer than `writes` where writes shared one. */
  readonly commits: number;
  /** Writes whose changes were committed. */
  readonly writes: number;
  readonly reads: number;
}

interface Waiting extends InLine {
  /** Runs the function; what it returns tells the caller, once the outcome stands. */
  readonly run: () => Promise<Outcome>;
  readonly reject: (err: unknown) => void;
}

/** Where to wait, and as whose. */
interface Line extends InLine {
  readonly of: { push(waiting: Waiting): void };
  /** How many wait there already. */
  readonly waiting: number;
}

interface Outcome {
  readonly tell: () => void;
  readonly revision?: bigint | undefined;
}

export interface SharedCommitOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Called once when the engine's files cannot be trusted any more: end the process. */
  readonly onFatal: (err: unknown) => void;
  /** Makes the bytes of tenant objects for the accounts' logs; absent: they carry none. */
  readonly encode?: Encode | undefined;
  /** Writes that share one commit, at most; default BATCH_MAX. */
  readonly batchMax?: number | undefined;
}

export class SharedCommit implements Store {
  private reads: Waiting[] = [];
  private readonly writes = new FairLine<Waiting>();
  private readonly listeners: ((revision: bigint) => void)[] = [];
  private readonly touches = new Touches();
  private readonly declared = new DeclaredCache();
  private readonly shown = new ShownCache();
  private turning = false;
  private closing: Promise<void> | undefined;
  private whenIdle: (() => void) | undefined;
  private fatalTold = false;
  /** The revision that the parts of the open batch have reached. */
  private reached = 0n;
  /** What they put into the logs. */
  private log: BatchLog;
  private readonly gathering = new Gathering();
  private readonly counted = { commits: 0, writes: 0, reads: 0 };

  constructor(
    private readonly engine: Engine,
    private readonly options: SharedCommitOptions,
  ) {
    this.log = new BatchLog(engine.sql);
    this.touches.listen((touch) => this.declared.touched(touch));
    this.touches.listen((touch) => this.shown.forget(touch));
  }

  read<T>(fn: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.queue(this.readLine(), this.readRefusal(), (resolve, reject) =>
      this.runRead(fn).then(
        (value) => ({ tell: () => resolve(value) }),
        (err: unknown) => ({ tell: () => reject(err) }),
      ),
    );
  }

  write<T>(cause: Cause, fn: (tx: WriteTx) => Promise<T>): Promise<T> {
    const { account } = cause;
    const line = { of: this.writes, waiting: this.writes.waitingLike({ account }), account };
    return this.queue(line, this.writeRefusal(), (resolve, reject) =>
      this.runWrite(cause, fn).then(
        ({ value, revision }) => ({ tell: () => resolve(value), revision }),
        (err: unknown) => ({ tell: () => reject(err) }),
      ),
    );
  }

  shownInstance(account: AccountId, id: InstanceId): Soon<Uint8Array | undefined> {
    const of = { kind: "instance", id };
    const known = this.readRefusal() ? undefined : this.shown.find(account, of);
    if (known) return known;
    return this.read(async (tx) => {
      const object = await tx.account(account).instances.shown(id);
      if (object) this.shown.keep(account, of, object);
      return object;
    });
  }

  revision(): Promise<bigint> {
    return this.queue(this.readLine(), this.readRefusal(), (resolve, reject) =>
      this.storedRevision().then(
        (revision) => ({ tell: () => resolve(revision) }),
        (err: unknown) => ({ tell: () => reject(err) }),
      ),
    );
  }

  onCommit(fn: (revision: bigint) => void): void {
    this.listeners.push(fn);
  }

  onTouch(fn: (touch: Touch) => void): void {
    this.touches.listen(fn);
  }

  stats(): StoreStats {
    return { ...this.counted };
  }

  close(): Promise<void> {
    this.closing ??= this.idle().then(() => this.engine.close());
    return this.closing;
  }

  private queue<T>(
    line: Line,
    refusal: RailyardError | undefined,
    run: (resolve: (value: T) => void, reject: (err: unknown) => void) => Promise<Outcome>,
  ): Promise<T> {
    if (refusal) return Promise.reject(refusal);
    if (line.waiting >= WAITING_MAX) {
      return Promise.reject(
        refuse("unavailable", "the store is overloaded", { retryAfterMs: RETRY_AFTER_MS }),
      );
    }
    return new Promise((resolve, reject) => {
      line.of.push({ run: () => run(resolve, reject), reject, account: line.account });
      this.wake();
    });
  }

  private readLine(): Line {
    return { of: this.reads, waiting: this.reads.length };
  }

  private readRefusal(): RailyardError | undefined {
    if (this.closing) return refuse("unavailable", "the store is closing");
    if (this.engine.trouble === "fatal") return refuse("unavailable", "the store has failed");
    return undefined;
  }

  private writeRefusal(): RailyardError | undefined {
    return this.readRefusal() ?? (this.engine.trouble === "full" ? readOnly() : undefined);
  }

  // An immediate lets everything that already arrived join the turn.
  private wake(others = 0): void {
    if (this.turning) return;
    this.turning = true;
    this.gathering.begin(others, this.options.clock.monotonic());
    setImmediate(() => void this.turn());
  }

  private async turn(): Promise<void> {
    await this.serveReads();
    while (this.gathering.goesOn(this.writes.length, this.options.clock.monotonic())) {
      await new Promise((turned) => setImmediate(turned));
      await this.serveReads();
    }
    if (this.writes.length > 0) await this.batch();
    this.tellIfFatal();
    this.turning = false;
    if (this.reads.length + this.writes.length > 0) this.wake(this.writes.length);
    else this.whenIdle?.();
  }

  private async serveReads(): Promise<void> {
    const reads = this.reads.splice(0);
    for (const read of reads) (await read.run()).tell();
    this.counted.reads += reads.length;
  }

  private async batch(): Promise<void> {
    const { clock, batchMax = BATCH_MAX } = this.options;
    const { engine } = this;
    const taken: Waiting[] = [];
    const outcomes: Outcome[] = [];
    const started = clock.monotonic();
    try {
      await engine.begin();
      const before = await this.storedRevision();
      this.reached = before;
      this.log = new BatchLog(engine.sql);
      while (taken.length < batchMax && clock.monotonic() - started <= BATCH_MS) {
        const next = this.writes.shift();
        if (!next) break;
        taken.push(next);
        outcomes.push(await next.run());
        if (engine.trouble) throw this.troubled();
      }
      this.gathering.took(taken.length, this.writes.length);
      if (this.reached > before) {
        await this.log.write();
        await engine.sql.run("UPDATE revision SET value = ?", [this.reached]);
      }
      await engine.commit();
    } catch (err) {
      await this.abandon(taken, err);
      return;
    }
    this.committed(outcomes);
  }

  private committed(outcomes: readonly Outcome[]): void {
    this.touches.batchDone();
    const revisions = outcomes.flatMap(({ revision }) => (revision === undefined ? [] : revision));
    this.counted.writes += revisions.length;
    if (revisions.length > 0) this.counted.commits += 1;
    for (const { tell } of outcomes) tell();
    const newest = revisions.at(-1);
    if (newest !== undefined) this.announce(newest);
  }

  /** Nothing of the batch stands; whoever waited for it hears so. */
  private async abandon(taken: readonly Waiting[], err: unknown): Promise<void> {
    const { log } = this.options;
    await this.engine.rollback().catch((cause) => log.error({ err: cause }, "rollback failed"));
    this.touches.batchUndone();
    log.error({ err, writes: taken.length }, "shared commit failed");
    const refusal = this.engine.trouble ? this.troubled() : err;
    for (const { reject } of taken) reject(refusal);
    // A batch that could not even begin would be tried again at once, and again.
    if (!this.engine.trouble && taken.length > 0) return;
    for (const { reject } of this.writes.clear()) reject(refusal);
  }

  private tellIfFatal(): void {
    if (this.engine.trouble !== "fatal" || this.fatalTold) return;
    this.fatalTold = true;
    this.options.log.fatal("the database cannot be trusted any more");
    this.options.onFatal(this.troubled());
  }

  private troubled(): RailyardError {
    return this.engine.trouble === "full" ? readOnly() : refuse("unavailable", "the store failed");
  }

  private announce(revision: bigint): void {
    for (const listener of this.listeners) {
      try {
        listener(revision);
      } catch (err) {
        this.options.log.error({ err }, "commit listener failed");
      }
    }
  }

  private runRead<T>(fn: (tx: ReadTx) => Promise<T>): Promise<T> {
    return runWithin(new Work(this.engine.sql, false, { declared: this.declared }), fn);
  }

  private async runWrite<T>(
    cause: Cause,
    fn: (tx: WriteTx) => Promise<T>,
  ): Promise<{ readonly value: T; readonly revision: bigint | undefined }> {
    const { sql } = this.engine;
    const known = new KnownRows();
    const work = new Work(sql, true, {
      known,
      declared: this.declared,
      show: this.showing(known),
      revision: this.reached + 1n,
      touched: (entry) => this.touches.touched(entry),
    });
    try {
      const { value, change } = await inSavepoint(sql, "part", () =>
        runWithin(work, async (tx) => {
          const value = await fn(tx);
          return { value, change: await work.finish(cause) };
        }),
      );
      this.partDone(change);
      return { value, revision: change?.revision };
    } catch (err) {
      this.touches.partUndone();
      throw err;
    }
  }

  private partDone(change: Change | undefined): void {
    this.touches.partDone();
    if (!change) return;
    this.reached = change.revision;
    this.log.add(change);
  }

  /** How to look at what a work leaves, in one of its own that may not write. */
  private showing(known: KnownRows): Show | undefined {
    const { encode } = this.options;
    const { declared } = this;
    if (!encode) return undefined;
    const now: EncodeNow = (entries) => {
      for (const entry of entries) this.shown.forget(entry);
      const reading = new Work(this.engine.sql, false, { declared, known });
      return encode(openTransaction(reading), entries);
    };
    return (entries, earlier) => {
      const kept: Kept = async (of) => {
        const shown = earlier(of);
        return shown ? shown.object : this.log.object(of);
      };
      return withObjects(kept, now, entries);
    };
  }

  private async storedRevision(): Promise<bigint> {
    return toBigint((await this.engine.sql.get("SELECT value FROM revision"))?.value);
  }

  private idle(): Promise<void> {
    if (!this.turning) return Promise.resolve();
    return new Promise((resolve) => {
      this.whenIdle = resolve;
    });
  }
}

function readOnly(): RailyardError {
  return refuse("unavailable", "the store is read-only: its disk is full", {
    reason: "STORE_READ_ONLY",
  });
}

/**
 * Runs a transaction function that may await its `tx` and nothing else. Answers of `tx` are there
 * at once: a function still pending when the event loop turns waits for something foreign, and
 * everybody else would wait with it, so it fails as a bug. However it ends, its `tx` ends first.
 */
function runWithin<T>(work: Work, fn: (tx: WriteTx) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (err: unknown) => {
      clearImmediate(deadline);
      work.end();
      reject(err);
    };
    const deadline = setImmediate(() =>
      fail(bug("a transaction function awaited something other than its tx")),
    );
    const started = Promise.resolve().then(() => fn(openTransaction(work)));
    started.then((value) => {
      clearImmediate(deadline);
      work.end();
      resolve(value);
    }, fail);
  });
}
