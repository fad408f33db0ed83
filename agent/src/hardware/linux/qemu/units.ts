// A guest as a systemd unit of its own: started, asked how it ended, forgotten. It knows what
// systemd says of a unit, not what runs in it.
import { statSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import type { Outside } from "../outside.js";
import { type GuestNeeds, unitProperties } from "./sandbox.js";

const TOOL_DEADLINE_MS = 20_000;
/** Values of `ExecMainCode`: si_code of sigaction(2). */
const EXITED = "1";
const KILLED = "2";
const DUMPED = "3";
/** States in which nothing of a unit runs or is still to be waited for. */
const AT_REST = ["inactive", "failed"];

/** Whether systemd is the machine's first process: as sd_booted(3), an empty directory will do. */
export function hasSystemd(root: string): boolean {
  const found = statSync(join(root, "/run/systemd/system"), { throwIfNoEntry: false });
  return found?.isDirectory() === true;
}

/** The unit that one guest is. */
export function unitName(instanceId: string): string {
  return `railyard-guest-${instanceId}.service`;
}

/** Begins a guest's unit. Throws `unavailable`. */
export async function startUnit(
  outside: Outside,
  needs: GuestNeeds,
  command: readonly string[],
): Promise<void> {
  await outside.exec("systemd-run", unitArguments(needs, command), TOOL_DEADLINE_MS);
}

/**
 * `systemd-run`'s arguments for one guest. A unit that ends well goes by itself; one that does not
 * is kept by systemd until it is forgotten, so that it can be asked how it ended.
 */
export function unitArguments(needs: GuestNeeds, command: readonly string[]): readonly string[] {
  return [
    ...["--quiet", "--unit", unitName(needs.place.instanceId)],
    // Else it were the whole command line.
    ...["--description", `Railyard guest ${needs.place.instanceId}`],
    ...unitProperties(needs).flatMap((property) => ["--property", property]),
    ...["--", ...command],
  ];
}

/** How a guest's unit failed; undefined when it did not, or is not there. Throws `unavailable`. */
export async function unitFailure(
  outside: Outside,
  instanceId: string,
): Promise<string | undefined> {
  return failureIn(await show(outside, instanceId));
}

async function show(outside: Outside, instanceId: string): Promise<string> {
  const asked = "--property=ActiveState,Result,ExecMainCode,ExecMainStatus";
  return outside.exec("systemctl", ["show", asked, unitName(instanceId)], TOOL_DEADLINE_MS);
}

/** What `systemctl show` says of a unit, in words; pure. */
export function failureIn(said: string): string | undefined {
  const of = (name: string) => valueIn(said, name);
  if (of("ActiveState") !== "failed") return undefined;
  const [result, code, status] = [of("Result"), of("ExecMainCode"), of("ExecMainStatus")];
  if (result === "oom-kill") return "qemu was ended for lack of memory";
  if (code === EXITED) return `qemu exited with ${status}`;
  if (code === KILLED || code === DUMPED) return killedBy(Number(status));
  return `qemu's unit failed: ${result}`;
}

function valueIn(said: string, name: string): string {
  return new RegExp(`^${name}=(.*)$`, "m").exec(said)?.[1] ?? "";
}

/** In the same words, for a process without a unit. */
export function killedBy(signal: number | string): string {
  const names = Object.entries(constants.signals);
  const name = names.find(([, number]) => number === signal)?.[0] ?? signal;
  return `qemu was killed by ${name}`;
}

/** Has systemd forget a unit that failed; does nothing to any other. Throws `unavailable`. */
export async function forgetUnit(outside: Outside, instanceId: string): Promise<void> {
  if ((await unitFailure(outside, instanceId)) === undefined) return;
  await outside.exec("systemctl", ["reset-failed", unitName(instanceId)], TOOL_DEADLINE_MS);
}

/**
 * Leaves nothing of a unit: whatever of it still runs ends, and systemd forgets it. A process may
 * be gone before systemd has noticed. Throws `unavailable`.
 */
export async function endUnit(outside: Outside, instanceId: string): Promise<void> {
  const isAtRest = async () =>
    AT_REST.includes(valueIn(await show(outside, instanceId), "ActiveState"));
  if (!(await isAtRest())) {
    try {
      await outside.exec("systemctl", ["stop", unitName(instanceId)], TOOL_DEADLINE_MS);
    } catch (thrown) {
      // It may have gone by itself meanwhile: then there is none to stop.
      if (!(await isAtRest())) throw thrown;
    }
  }
  await forgetUnit(outside, instanceId);
}
