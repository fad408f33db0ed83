// Passes over something that is to be made as desired: one after the other, woken by a nudge, by a
// period, and by itself while something is left, with back-off. Knows nothing of what a pass does.
import { type BackoffLimits, backoffMs } from "@railyard/lib/backoff";
import type { Clock, Timer } from "@railyard/lib/clock";
import type { Log } from "@railyard/lib/log";
import { Loop, type LoopReport } from "@railyard/lib/loop";
import type { Rng } from "@railyard/lib/rng";

export interface PassesOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  /** Upper bound between two passes, milliseconds. */
  readonly sweepMs: number;
  /** Between two passes while something is left to do. */
  readonly backoff: BackoffLimits;
}

export abstract class Passes {
  /** While false, passes only read and report. */
  protected acting = true;
  private readonly loop: Loop;
  private attempt = 0;
  private retry: Timer | undefined;

  constructor(private readonly how: PassesOptions) {
    const { name, clock, log, sweepMs: periodMs } = how;
    const runOnce = (signal: AbortSignal) => this.runOnce(signal);
    this.loop = new Loop({ name, clock, log, periodMs, runOnce });
  }

  /** One pass; whether something is left to be tried again. */
  protected abstract pass(signal: AbortSignal): Promise<boolean>;

  start(): void {
    this.loop.start();
  }

  /** Asks for a pass soon. */
  nudge(): void {
    this.attempt = 0;
    this.loop.nudge();
  }

  setActing(acting: boolean): void {
    if (this.acting === acting) return;
    this.acting = acting;
    if (acting) this.nudge();
  }

  /** Resolves when a pass under way has ended. */
  async stop(): Promise<void> {
    this.retry?.cancel();
    await this.loop.stop();
    this.retry?.cancel();
  }

  report(): LoopReport {
    return this.loop.report();
  }

  /** There was progress: the next pass need not wait as long as those before. */
  protected progressed(): void {
    this.attempt = 0;
  }

  private async runOnce(signal: AbortSignal): Promise<void> {
    this.retry?.cancel();
    let again = true;
    try {
      again = await this.pass(signal);
    } finally {
      if (again && !signal.aborted) this.retryLater();
    }
  }

  private retryLater(): void {
    const { clock, rng, backoff } = this.how;
    this.retry = clock.after(backoffMs(this.attempt, rng, backoff), () => this.loop.nudge());
    this.attempt += 1;
  }
}
