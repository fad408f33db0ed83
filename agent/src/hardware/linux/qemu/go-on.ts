// Has a guest go on whose QEMU runs and that should run, too, or says what keeps it. It knows
// QEMU's words for that, not who asks.
import { refuse } from "@railyard/lib/errors";
import type { Qmp } from "./qmp.js";

/**
 * What gets a guest going, by the state in which QEMU has it (`RunState` of QEMU's
 * qapi/run-state.json): QEMU stops it by itself when the machine's disk is full, and a guest may
 * put itself to sleep.
 */
const WAKING: ReadonlyMap<string, string> = new Map([
  ["io-error", "cont"],
  ["paused", "cont"],
  ["suspended", "system_wakeup"],
]);
const STATE = /^[a-z-]{1,32}$/;

/** Throws `unavailable` while the guest stands still, also when it was just told to go on. */
export async function goOn(qmp: Qmp): Promise<void> {
  const { status } = Object(await qmp.execute("query-status")) as { readonly status?: unknown };
  if (status === "running") return;
  const state = STATE.test(String(status)) ? String(status) : "unknown";
  const waking = WAKING.get(state);
  if (waking === undefined) throw refuse("unavailable", `the guest stands still: ${state}`);
  await qmp.execute(waking);
  throw refuse("unavailable", `the guest stood still and was told to go on: ${state}`);
}
