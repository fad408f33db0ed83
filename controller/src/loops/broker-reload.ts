// Tells a local nats-server to read its configuration again. Knows nothing of what is in it.
import { readIfThere } from "@railyard/lib/durable-file";
import type { Log } from "@railyard/lib/log";

const PROGRAM = "nats-server";

/**
 * Sends SIGHUP to the process that `pidFile` names; an empty path tells nobody and counts as done.
 * False when there is no such process now, or when its number belongs to another program by now.
 */
export function reloadBroker(pidFile: string, log: Log): boolean {
  if (pidFile === "") return true;
  const pid = Number(readIfThere(pidFile));
  if (!Number.isSafeInteger(pid) || pid <= 1) return false;
  const program = readIfThere(`/proc/${pid}/comm`)?.trim();
  if (program !== undefined && program !== PROGRAM) {
    log.warn({ pid, program }, "the broker's pid file names another program");
    return false;
  }
  try {
    process.kill(pid, "SIGHUP");
    return true;
  } catch (err) {
    log.warn({ pid, err }, "the broker was not reached");
    return false;
  }
}
