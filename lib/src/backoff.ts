// Jittered exponential back-off with named limits: how long to wait before the next try. Decides
// only; the caller sleeps on its Clock.
import type { Rng } from "./rng.js";

export interface BackoffLimits {
  readonly baseMs: number;
  readonly maxMs: number;
}

export const DEFAULT_BACKOFF: BackoffLimits = { baseMs: 100, maxMs: 10_000 };

/** Wait before try number `attempt` (0 = first retry): half fixed, half random, in milliseconds. */
export function backoffMs(attempt: number, rng: Rng, limits = DEFAULT_BACKOFF): number {
  const full = Math.min(limits.maxMs, limits.baseMs * 2 ** Math.min(attempt, 30));
  return Math.floor(full / 2) + rng.int(Math.floor(full / 2) + 1);
}
