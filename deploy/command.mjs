// Runs one outside program without a shell and waits for it, its output going to the terminal or
// to a log file. It knows nothing of what the programs are for.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root, wherever the caller stands. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** How long any one program may take, in milliseconds. */
export const COMMAND_LIMIT_MS = 20 * 60_000;

const TAIL_LINES_MAX = 40;

const running = new Set();

/** The path of a program that a package brought, e.g. `bin("tsc")`. */
export function bin(name) {
  return join(ROOT, "node_modules", ".bin", name);
}

/**
 * Runs `command` with `args` in the root; answers its exit code (127 when it cannot be started,
 * 124 past `limitMs`). With `log` set, output is appended to that file instead of the terminal.
 */
export async function run(command, args, { env, log, limitMs = COMMAND_LIMIT_MS } = {}) {
  const out = log ? openLog(log) : "inherit";
  try {
    return await finished(
      spawn(command, args, {
        cwd: ROOT,
        env: { ...process.env, ...env },
        stdio: ["ignore", out, out],
        timeout: limitMs,
      }),
    );
  } finally {
    if (log) closeSync(out);
  }
}

/** Ends every program that `run` is waiting for. */
export function stopCommands() {
  for (const child of running) child.kill("SIGTERM");
}

/** The last lines of a log file, for showing after a failure. */
export function tail(log) {
  return readFileSync(log, "utf8").trimEnd().split("\n").slice(-TAIL_LINES_MAX).join("\n");
}

function openLog(log) {
  mkdirSync(dirname(log), { recursive: true });
  return openSync(log, "a");
}

function finished(child) {
  running.add(child);
  return new Promise((resolve) => {
    child.once("error", () => resolve(127));
    child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGTERM" ? 124 : 1)));
  }).finally(() => running.delete(child));
}
