// A yard's outside processes, seen from whoever starts the yard. They are children of a keeper
// (supervise.mjs), so that none of them outlives a starter that was killed. Knows no program.
import { fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./command.mjs";
import { YARD_MARK } from "./leftovers.mjs";

const END_LIMIT_MS = 20_000;

/**
 * Starts a keeper for the yard in `dataDir`, which also removes the data in the end if they are
 * `temporary`. `onExit({ name, code, signal, error })` is called for each process that ends without
 * having been asked to.
 */
export function startProcesses({ dataDir, temporary, onExit }) {
  const base = ownEnvironment(dataDir);
  const logs = join(dataDir, "logs");
  const log = openSync(join(logs, "keeper.log"), "a", 0o600);
  const life = temporary ? "temporary" : "lasting";
  const keeper = fork(join(ROOT, "deploy", "supervise.mjs"), [dataDir, life], {
    cwd: ROOT,
    detached: true,
    env: base,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const waiting = new Map();
  const gone = new Promise((resolve) => {
    keeper.once("exit", () => resolve());
    keeper.once("error", () => resolve());
  });
  const answer = (name) => new Promise((resolve) => waiting.set(name, resolve));
  const send = (message) => {
    if (keeper.connected) keeper.send(message, () => {});
  };
  keeper.on("message", ({ kept, ...exit }) => {
    const name = kept ? "keep" : exit.name;
    const resolve = waiting.get(name);
    waiting.delete(name);
    if (resolve) resolve(exit);
    else onExit?.(exit);
  });

  return {
    pid: keeper.pid,
    /** Resolves once the keeper, and so every process of the yard, is gone. */
    gone,
    /** The log file of one process. */
    logOf: (name) => join(logs, `${name}.log`),
    /** Starts a process; `env` is added to an environment free of our own settings. */
    start({ name, command, args, env }) {
      const log = join(logs, `${name}.log`);
      send({ word: "start", name, command, args, cwd: ROOT, env: { ...base, ...env }, log });
    },
    /** Ends one process: SIGTERM, after 5 s SIGKILL. */
    async stop(name) {
      const stopped = answer(name);
      send({ word: "stop", name });
      await Promise.race([stopped, gone]);
    },
    /** Lets the processes outlive this one. */
    async keep() {
      const kept = answer("keep");
      send({ word: "keep" });
      await Promise.race([kept, gone]);
      keeper.disconnect();
      keeper.unref();
    },
    /** Ends all processes and the keeper; waits at most 20 s, then kills what is left. */
    async end() {
      if (keeper.connected) keeper.disconnect();
      const timer = setTimeout(() => killGroup(keeper.pid), END_LIMIT_MS);
      await gone;
      clearTimeout(timer);
      killGroup(keeper.pid);
    },
  };
}

// Settings of ours that stand in the caller's environment are not meant for this yard.
function ownEnvironment(dataDir) {
  const foreign = ([name]) => !name.startsWith("RAILYARD_") && name !== YARD_MARK;
  const rest = Object.fromEntries(Object.entries(process.env).filter(foreign));
  return { ...rest, [YARD_MARK]: dataDir };
}

function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in the group, which is what was wanted.
  }
}
