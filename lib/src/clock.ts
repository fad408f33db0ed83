// Time comes in through here and nowhere else, so that a whole yard can run on one made-up clock.
// This file must know nothing of what is being timed.
import { refuse } from "./errors.js";

/** A pending timer. Cancelling one that fired, or twice, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall time, milliseconds since 1970-01-01 UTC. May jump. */
  now(): number;
  /** Milliseconds since some fixed point; never goes back. For measuring, leases and deadlines. */
  monotonic(): number;
  /** Runs `fn` once after `ms` milliseconds. A pending timer keeps the process alive: cancel it. */
  after(ms: number, fn: () => void): Timer;
}

/** The machine's own clock. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(ms, fn) {
      const handle = setTimeout(fn, ms);
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

/** Resolves after `ms` milliseconds, or as soon as `signal` aborts (it never rejects). */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/**
 * Waits for `promise` at most `ms` milliseconds; then throws `deadline` naming `what`.
 * The promise itself is not cancelled: its late outcome is ignored.
 */
export function withDeadline<T>(
  clock: Clock,
  limit: { readonly ms: number; readonly what: string },
  promise: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limit.ms, () =>
      reject(refuse("deadline", `${limit.what} did not answer within ${limit.ms} ms`)),
    );
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (err: unknown) => {
        timer.cancel();
        reject(err);
      },
    );
  });
}

/**
 * Waits for `promise`, but only until `signal` aborts; then throws `unavailable`. The promise
 * itself is not cancelled: its late outcome is ignored.
 */
export function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abandon = () => reject(refuse("unavailable", "the answer is not waited for any more"));
    if (signal.aborted) abandon();
    signal.addEventListener("abort", abandon, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abandon));
  });
}

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/**
 * A clock that moves only when told to. Timers fire in time order, then in the order they were set.
 */
export class ManualClock implements Clock {
  private readonly startAt: number;
  private elapsed = 0;
  private order = 0;
  private readonly waiting = new Set<Waiting>();

  /** `startAt`: wall time at the start, milliseconds since 1970. */
  constructor(startAt = 1_750_000_000_000) {
    this.startAt = startAt;
  }

  now(): number {
    return this.startAt + this.elapsed;
  }

  monotonic(): number {
    return this.elapsed;
  }

  after(ms: number, fn: () => void): Timer {
    const entry: Waiting = { at: this.elapsed + Math.max(0, ms), order: this.order++, fn };
    this.waiting.add(entry);
    return { cancel: () => void this.waiting.delete(entry) };
  }

  /** Moves time forward, firing what falls due, letting promises settle between two firings. */
  async advance(ms: number): Promise<void> {
    const end = this.elapsed + ms;
    for (let next = this.nextDue(end); next; next = this.nextDue(end)) {
      this.waiting.delete(next);
      this.elapsed = Math.max(this.elapsed, next.at);
      next.fn();
      await settle();
    }
    this.elapsed = end;
    await settle();
  }

  private nextDue(end: number): Waiting | undefined {
    let best: Waiting | undefined;
    for (const w of this.waiting) {
      if (w.at > end) continue;
      if (!best || w.at < best.at || (w.at === best.at && w.order < best.order)) best = w;
    }
    return best;
  }
}

const SETTLE_ROUNDS = 20;

/** Lets already resolved promises and immediates run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < SETTLE_ROUNDS; i++) await new Promise((r) => setImmediate(r));
}
