// A loop brings about what must come true eventually: it takes no input, runs on a nudge and on a
// period, and never runs twice at once. Nudges carry no data and collapse; periods are the
// guarantee.
import type { Clock, Timer } from "./clock.js";
import type { Log } from "./log.js";

/** What the last run did, for operators. */
export interface LoopReport {
  readonly name: string;
  readonly runs: number;
  readonly failures: number;
  /** Wall time of the last finished run, or undefined before the first. */
  readonly lastRunAt: number | undefined;
  readonly lastError: string | undefined;
}

export interface LoopOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Upper bound between two runs, milliseconds. */
  readonly periodMs: number;
  /** One pass. Must end by itself; an exception is logged and the next period tries again. */
  readonly runOnce: (signal: AbortSignal) => Promise<void>;
}

export class Loop {
  private timer: Timer | undefined;
  private running: Promise<void> | undefined;
  private again = false;
  private readonly stopping = new AbortController();
  private runs = 0;
  private failures = 0;
  private lastRunAt: number | undefined;
  private lastError: string | undefined;

  constructor(private readonly options: LoopOptions) {}

  /** Begins the periodic runs, the first at once. */
  start(): void {
    this.nudge();
  }

  /** Asks for a pass soon. A nudge during a pass causes exactly one more. */
  nudge(): void {
    if (this.stopping.signal.aborted) return;
    if (this.running) {
      this.again = true;
      return;
    }
    this.timer?.cancel();
    this.running = this.pass();
  }

  /** Ends the loop; resolves when a pass under way has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.timer?.cancel();
    await this.running;
  }

  report(): LoopReport {
    const { runs, failures, lastRunAt, lastError } = this;
    return { name: this.options.name, runs, failures, lastRunAt, lastError };
  }

  private async pass(): Promise<void> {
    const { clock, log, name, periodMs, runOnce } = this.options;
    await undefined;
    do {
      this.again = false;
      try {
        await runOnce(this.stopping.signal);
        this.lastError = undefined;
      } catch (err) {
        this.failures += 1;
        this.lastError = err instanceof Error ? err.message : String(err);
        log.error({ loop: name, err }, "loop pass failed");
      }
      this.runs += 1;
      this.lastRunAt = clock.now();
    } while (this.again && !this.stopping.signal.aborted);
    this.running = undefined;
    if (!this.stopping.signal.aborted) this.timer = clock.after(periodMs, () => this.nudge());
  }
}
