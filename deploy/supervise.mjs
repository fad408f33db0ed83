// The keeper of one yard's processes: starts them on its parent's word, tells when one ends, and
// ends all of them when told to or when the parent is gone; then removes the data if they
// are temporary. Run by processes.mjs only; it knows nothing of what the processes are.
import { spawn } from "node:child_process";
import { closeSync, openSync, rmSync } from "node:fs";

const GRACE_MS = 5_000;

const [dataDir, life] = process.argv.slice(2);
const children = new Map();
let kept = false;
let ending = false;

const words = {
  start({ name, command, args, cwd, env, log }) {
    const out = openSync(log, "a", 0o600);
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", out, out] });
    closeSync(out);
    children.set(name, child);
    child.once("error", (error) => ended(name, child, { error: error.message }));
    child.once("exit", (code, signal) => ended(name, child, { code, signal }));
  },
  keep() {
    kept = true;
    tell({ kept });
  },
};

process.on("message", (message) => words[message.word]?.(message));
process.on("disconnect", () => {
  if (!kept) end();
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, end);

function end() {
  ending = true;
  for (const child of children.values()) stop(child);
  leaveWhenEmpty();
}

function stop(child) {
  child.kill("SIGTERM");
  setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
}

function ended(name, child, how) {
  if (children.get(name) !== child) return;
  children.delete(name);
  tell({ name, ...how });
  leaveWhenEmpty();
}

function leaveWhenEmpty() {
  if (!ending || children.size > 0) return;
  if (life === "temporary") rmSync(dataDir, { recursive: true, force: true });
  process.exit(0);
}

function tell(message) {
  if (process.connected) process.send(message, () => {});
}
