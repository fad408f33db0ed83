// Waiting for emulated machines: as in other tests, but with looks so far apart that they take no
// time from what is waited for. Knows nothing of what that is.
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../until.js";

const LOOK_EVERY_MS = 250;

/** Waits until `done` answers true or a value; fails naming `what` after `limitMs`. */
export function patiently<T>(
  what: string,
  done: () => Promise<T> | T,
  limitMs?: number,
): Promise<NonNullable<T>> {
  const look = async () => {
    const value = await done();
    if (!value) await sleep(LOOK_EVERY_MS);
    return value;
  };
  return until(what, look, limitMs);
}
