// Lets one process at a time install or build in this checkout: two demos may be started together.
// The lock is a folder with its owner's process id, moved into place in one step.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "./command.mjs";
import { SetupError } from "./machine.mjs";

const STATE = join(ROOT, ".railyard");
const LOCK = join(STATE, "setup.lock");
const WAIT_LIMIT_MS = 20 * 60_000;
const LOOK_AGAIN_MS = 200;

/**
 * Runs `work` while no other process of this checkout does; answers what it answers. Waits at most
 * `limitMs`, calling `onWait(pid)` once if it has to; throws the reason of `signal` once aborted. A
 * lock whose owner is dead is taken over.
 */
export async function withSetupLock(work, options = {}) {
  const { onWait = () => {}, limitMs = WAIT_LIMIT_MS, signal } = options;
  const deadline = Date.now() + limitMs;
  for (let told = false; !acquire(); ) {
    const owner = ownerOf(LOCK);
    if (owner !== undefined && !isAlive(owner)) {
      evict(owner);
      continue;
    }
    signal?.throwIfAborted();
    if (Date.now() > deadline) {
      throw new SetupError(`process ${owner} has long held ${LOCK}; end it or remove that folder.`);
    }
    if (!told) onWait(owner);
    told = true;
    await sleep(LOOK_AGAIN_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

// A folder with content cannot be replaced by a rename, so only one process succeeds.
function acquire() {
  const made = makeDraft();
  writeFileSync(join(made, "pid"), String(process.pid));
  try {
    renameSync(made, LOCK);
    return true;
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (["ENOTEMPTY", "EEXIST", "EPERM"].includes(error.code)) return false;
    throw error;
  }
}

function makeDraft() {
  try {
    mkdirSync(STATE, { recursive: true });
    return mkdtempSync(join(STATE, "lock-"));
  } catch (error) {
    throw new SetupError(`${STATE} cannot be written (${error.code}); use a clone of your own.`);
  }
}

// Two processes may find the same dead owner; the one that moved a living owner's lock away by
// mistake puts it back.
function evict(owner) {
  const away = mkdtempSync(join(STATE, "dead-"));
  try {
    renameSync(LOCK, join(away, "lock"));
    if (!Object.is(ownerOf(join(away, "lock")), owner)) renameSync(join(away, "lock"), LOCK);
  } catch {
    // Somebody else was quicker; the next look tells who owns it now.
  }
  rmSync(away, { recursive: true, force: true });
}

function ownerOf(folder) {
  try {
    return Number.parseInt(readFileSync(join(folder, "pid"), "utf8"), 10);
  } catch {
    // Given back between two looks.
    return undefined;
  }
}

// Our own id on a lock that we do not hold is an earlier process's, e.g. in a restarted container.
function isAlive(pid) {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
