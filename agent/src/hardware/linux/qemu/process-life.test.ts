// When a process counts as gone: of this machine's own processes, and of ones on paper in states
// that cannot be held still.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hasEnded, isAlive, lifeOf } from "./process-life.js";

let proc: string;
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), "railyard-life-"));
  mkdirSync(join(proc, "7"));
});
afterEach(() => rmSync(proc, { recursive: true, force: true }));

/** As proc_pid_stat(5) has it, with a name that looks like more fields. */
function plant(state: string, threads: number, begun = 900): void {
  const between = [..."1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0".split(" ")];
  const text = ["7", "(a) R 1)", state, ...between, threads, 0, begun, 0, 0].join(" ");
  writeFileSync(join(proc, "7/stat"), `${text}\n`);
}

test("a process lives until it has ended", async () => {
  const child = spawn("/usr/bin/sleep", ["60"], { stdio: "ignore" });
  await once(child, "spawn");
  const life = lifeOf(child.pid ?? 0);
  if (!life) throw new Error("it is not there");
  expect(isAlive(life)).toBe(true);
  expect(await hasEnded(systemClock(), life, 1)).toBe(false);
  child.kill("SIGKILL");
  expect(await hasEnded(systemClock(), life, 30_000)).toBe(true);
});

test("no process of a number has no life", () => {
  expect(lifeOf(8, proc)).toBeUndefined();
});

test.each([
  { what: "that runs", state: "R", threads: 3, alive: true },
  { what: "that waits for a device", state: "D", threads: 1, alive: true },
  { what: "that is dead but for its parent", state: "Z", threads: 1, alive: false },
  { what: "that is dead", state: "X", threads: 0, alive: false },
  { what: "whose first thread only is dead", state: "Z", threads: 2, alive: true },
])("a process $what lives: $alive", ({ state, threads, alive }) => {
  plant("S", 1);
  const life = lifeOf(7, proc);
  if (!life) throw new Error("it is not there");
  plant(state, threads);
  expect(isAlive(life, proc)).toBe(alive);
});

test("a later process with its number is not that one", () => {
  plant("R", 1);
  expect(isAlive({ pid: 7, begun: "899" }, proc)).toBe(false);
  expect(isAlive({ pid: 7, begun: "900" }, proc)).toBe(true);
});
