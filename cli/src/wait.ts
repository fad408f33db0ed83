// Waits for a level, not for an event: reads again until what was read is good enough, on every
// sign that it may have changed, or from time to time where there are no signs. It knows no noun.
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
  readonly progress: Progress;
  /** When to read: at least once; ends at the deadline. */
  readonly signs: AsyncIterable<undefined>;
}

const POLL_FIRST_MS = 100;
const POLL_MAX_MS = 1_000;

/** Reads until done; throws `deadline` naming the last state seen. */
export async function waitUntil<T>(
  { progress, signs }: WaitOptions,
  { what, read }: Waiting<T>,
): Promise<T> {
  let state = "unknown";
  for await (const _sign of signs) {
    const judged = await read().catch((thrown) => unlessAway(thrown, state));
    state = judged.state;
    progress.show(`${what}: ${state}`);
    if (judged.t === "done") return judged.value;
  }
  throw refuse("deadline", `${what}: still ${state}`);
}

/** Signs for what cannot be watched: more and more seldom, until `deadlineAt` (monotonic). */
export async function* ticks(clock: Clock, deadlineAt: number): AsyncGenerator<undefined> {
  for (let pollMs = POLL_FIRST_MS; ; pollMs = Math.min(POLL_MAX_MS, pollMs * 2)) {
    yield undefined;
    if (clock.monotonic() + pollMs >= deadlineAt) return;
    await sleep(clock, pollMs);
  }
}

// A server that is away for longer than a call is repeated may still be back in time.
function unlessAway(thrown: unknown, before: string): Judged<never> {
  const code = thrown instanceof RailyardError ? thrown.code : undefined;
  // The deadline passed while reading: what was seen before is what there is to say.
  if (code === "deadline") return { t: "waiting", state: before };
  if (code !== "unavailable") throw thrown;
  return { t: "waiting", state: `unknown, ${(thrown as RailyardError).message}` };
}
