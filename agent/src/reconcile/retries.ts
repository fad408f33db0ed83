// When a step that was taken in vain may be taken again: each waits by its own count, so that one
// that never succeeds slows down nobody else. It must not know what a step does.
import { backoffMs } from "@railyard/lib/backoff";
import type { Clock } from "@railyard/lib/clock";
import type { Rng } from "@railyard/lib/rng";
import type { Step } from "../model.js";
import type { FailedStep } from "./report.js";

/** Longer than a look takes to come: what hangs again must not keep a neighbour from being seen. */
const STEP_BACKOFF = { baseMs: 2_000, maxMs: 30_000 };

interface Wait {
  readonly attempt: number;
  /** Monotonic time before which the step is left alone. */
  readonly until: number;
  /** Empty when nothing went wrong and it only has not shown yet. */
  readonly reason: string;
}

/** As many entries as the newest pass left steps. */
export class Retries {
  private readonly waits = new Map<string, Wait>();

  constructor(
    private readonly clock: Clock,
    private readonly rng: Rng,
  ) {}

  isDue({ key }: Step): boolean {
    const wait = this.waits.get(key);
    return wait === undefined || this.clock.monotonic() >= wait.until;
  }

  /** Whether the step was taken in vain before. */
  knows(key: string): boolean {
    return this.waits.has(key);
  }

  /**
   * After a pass: which steps are still asked for, and what taking some of them came to, by key.
   * Answers every failure that stands, also of steps that were left alone this time.
   */
  note(pending: readonly Step[], taken: ReadonlyMap<string, string>): FailedStep[] {
    const asked = new Set(pending.map((s) => s.key));
    for (const key of this.waits.keys()) if (!asked.has(key)) this.waits.delete(key);
    const now = this.clock.monotonic();
    for (const { key } of pending) {
      const reason = taken.get(key);
      if (reason === undefined) continue;
      const attempt = (this.waits.get(key)?.attempt ?? -1) + 1;
      const until = now + backoffMs(attempt, this.rng, STEP_BACKOFF);
      this.waits.set(key, { attempt, until, reason });
    }
    return pending.flatMap(({ key, instanceId }) => {
      const reason = this.waits.get(key)?.reason;
      return reason ? [{ key, instanceId, reason }] : [];
    });
  }
}
