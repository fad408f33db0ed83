// A yard's outside processes, seen from whoever starts the yard. They are children of a keeper
// (supervise.mjs), so that none of them outlives a starter that was killed. Knows no program.
import { fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./command.mjs";
import { YARD_MARK } from "./leftovers.mjs";

const END_LIMIT_MS = 20_000;

export class Processes {
  /** Resolves once the keeper, and so every process of the yard, is gone. */
  gone;
  #keeper;
  #env;
  #logs;
  #onExit;
  #waiting = new Map();

  /**
   * Starts a keeper for the yard in `dataDir`, which also removes the data in the end if they are
   * `temporary`. `onExit({ name, code, signal, error })` is called for each process that ends
   * without having been asked to.
   */
  constructor({ dataDir, temporary, onExit }) {
    this.#env = ownEnvironment(dataDir);
    this.#logs = join(dataDir, "logs");
    this.#onExit = onExit;
    const life = temporary ? "temporary" : "lasting";
    this.#keeper = forkKeeper([dataDir, life], this.#env, this.logOf("keeper"));
    this.gone = new Promise((resolve) => {
      for (const event of ["exit", "error"]) this.#keeper.once(event, () => resolve());
    });
    this.#keeper.on("message", ({ kept, ...exit }) => this.#hear(kept ? "keep" : exit.name, exit));
  }

  /** The keeper's process id: ending it ends the yard. */
  get pid() {
    return this.#keeper.pid;
  }

  /** The log file of one process. */
  logOf(name) {
    return join(this.#logs, `${name}.log`);
  }

  /** Starts a process; `env` is added to an environment free of the caller's own settings. */
  start({ name, command, args, env: added }) {
    const env = { ...this.#env, ...added };
    this.#tell({ word: "start", name, command, args, cwd: ROOT, env, log: this.logOf(name) });
  }

  /** Lets the processes outlive this one. */
  async keep() {
    const kept = new Promise((resolve) => this.#waiting.set("keep", resolve));
    this.#tell({ word: "keep" });
    await Promise.race([kept, this.gone]);
    this.#keeper.disconnect();
    this.#keeper.unref();
  }

  /** Ends all processes and the keeper; waits at most 20 s, then kills what is left. */
  async end() {
    if (this.#keeper.connected) this.#keeper.disconnect();
    const timer = setTimeout(() => killGroup(this.pid), END_LIMIT_MS);
    await this.gone;
    clearTimeout(timer);
    killGroup(this.pid);
  }

  #hear(name, exit) {
    const resolve = this.#waiting.get(name) ?? this.#onExit;
    this.#waiting.delete(name);
    resolve(exit);
  }

  #tell(message) {
    if (this.#keeper.connected) this.#keeper.send(message, () => {});
  }
}

// Detached: in a process group of its own, which a terminal's Ctrl-C does not reach.
function forkKeeper(args, env, log) {
  const out = openSync(log, "a", 0o600);
  const keeper = fork(join(ROOT, "deploy", "supervise.mjs"), args, {
    cwd: ROOT,
    detached: true,
    env,
    stdio: ["ignore", out, out, "ipc"],
  });
  closeSync(out);
  return keeper;
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
