// Waits for a level, not for an event: reads again until what was read is good enough. It knows no
// noun.
import { type Clock, sleep } from "@railyard/lib/clock";
import { RailyardError, refuse } from "@railyard/lib/errors";
import type { Progress } from "./progress.js";

/** What a reading says: go on waiting, or stop with this value; and the state for people. */
export type Judged<T> =
  | { readonly t: "waiting"; readonly state: string }
  | { readonly t: "done"; readonly state: string; readonly value: T };

export interface Waiting<T> {
  readonly what: string;
  readonly read: () => Promise<Judged<T>>;
}

export interface WaitOptions {
  readonly clock: Clock;
  readonly progress: Progress;
  /** Monotonic milliseconds. */
  readonly deadlineAt: number;
}

const POLL_FIRST_MS = 100;
const POLL_MAX_MS = 1_000;

/** Reads until done; throws `deadline` naming the last state seen. */
export async function waitUntil<T>(
  { clock, progress, deadlineAt }: WaitOptions,
  { what, read }: Waiting<T>,
): Promise<T> {
  for (let pollMs = POLL_FIRST_MS; ; pollMs = Math.min(POLL_MAX_MS, pollMs * 2)) {
    const judged = await read().catch(unlessUnavailable);
    progress.show(`${what}: ${judged.state}`);
    if (judged.t === "done") return judged.value;
    if (clock.monotonic() + pollMs >= deadlineAt) {
      throw refuse("deadline", `${what} is still ${judged.state}`);
    }
    await sleep(clock, pollMs);
  }
}

// A server that is away for longer than a call is repeated may still be back in time.
function unlessUnavailable(thrown: unknown): { readonly t: "waiting"; readonly state: string } {
  if (!(thrown instanceof RailyardError) || thrown.code !== "unavailable") throw thrown;
  return { t: "waiting", state: `unknown, ${thrown.message}` };
}
