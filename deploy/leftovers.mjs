// Finds and ends processes that belong to a yard but have lost their keeper, by a mark that every
// process of a yard carries in its environment. Sees nothing where there is no /proc.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** The environment variable that names the data directory of the yard a process belongs to. */
export const YARD_MARK = "YARD_DATA_DIR";

const END_LIMIT_MS = 5_000;
const LOOK_AGAIN_MS = 50;

/** Ids of the live processes that belong to the yard in `dataDir`. */
export function processesOf(dataDir) {
  const mark = `${YARD_MARK}=${dataDir}`;
  return allProcesses().filter((pid) => environmentOf(pid).includes(mark));
}

/** Ends every process of the yard in `dataDir`, the unwilling ones after 5 s; answers how many. */
export async function endProcessesOf(dataDir) {
  const found = processesOf(dataDir);
  for (const pid of found) signal(pid, "SIGTERM");
  const deadline = performance.now() + END_LIMIT_MS;
  while (processesOf(dataDir).length > 0 && performance.now() < deadline) {
    await sleep(LOOK_AGAIN_MS);
  }
  for (const pid of processesOf(dataDir)) signal(pid, "SIGKILL");
  return found.length;
}

/** Whether a process with this id runs. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function allProcesses() {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    // No /proc on this system.
    return [];
  }
}

// Another user's process, or one that ended between two looks, has no environment for us.
function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}
