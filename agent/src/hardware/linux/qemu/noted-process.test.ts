// What becomes of a guest's process that does not show what it is: one that is dying, or that took
// its command line away. The processes here never had one of QEMU's.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outside } from "../outside.js";
import { qemuGuests } from "./guests.js";
import { notedProcess, noteProcess } from "./noted-process.js";
import { guestPlace } from "./place.js";
import { isAlive, lifeOf } from "./process-life.js";
import { launch } from "./processes.js";

const clock = systemClock();
let root: string;
let child: ChildProcess;
let pid: number;
const place = () => guestPlace(join(root, "g"), "ins-1");
const outside = (): Outside => ({
  root,
  write: () => Promise.reject(new Error("nothing is written")),
  exec: async () => "",
});
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "railyard-noted-"));
  mkdirSync(place().dir, { recursive: true });
  child = spawn("/usr/bin/sleep", ["600"], { stdio: "ignore" });
  await once(child, "spawn");
  pid = child.pid ?? 0;
});
afterEach(() => {
  child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

test("a guest is gone only once the process is that it was noted to be", async () => {
  noteProcess(place(), pid);
  const life = lifeOf(pid);
  const guests = qemuGuests({
    ...{ outside: outside(), clock, guestsDir: join(root, "g"), volumesDir: join(root, "v") },
    ...{ accelerator: "tcg", vpcBridge: "ry-test" },
    backings: async () => new Map(),
    layoutArguments: () => [],
  });
  await guests.stop("ins-1");
  expect(life && isAlive(life)).toBe(false);
  expect(existsSync(place().dir)).toBe(false);
});

test("no second process comes to be beside one that was noted and lives", async () => {
  noteProcess(place(), pid);
  const needs = { place: place(), user: undefined, devices: [], volumes: [] };
  const launched = launch({ outside: outside(), clock, needs, args: [] });
  await expect(launched).rejects.toThrow("an earlier qemu of guest ins-1 has not ended yet");
  expect(notedProcess(place())?.pid).toBe(pid);
});

test("a note of another life of the machine, or of another process, names nobody", () => {
  noteProcess(place(), pid);
  const note = readFileSync(place().process, "utf8");
  const [boot = "", , begun = ""] = note.split(" ");
  const rewritten = [
    [boot.replace(/^./, (digit) => (digit === "0" ? "1" : "0")), pid, begun],
    [boot, pid, Number(begun) + 1],
    [boot, process.pid, begun],
    [boot],
  ];
  for (const words of rewritten) {
    writeFileSync(place().process, words.join(" "));
    expect(notedProcess(place())).toBeUndefined();
  }
  writeFileSync(place().process, note);
  expect(notedProcess(place())?.pid).toBe(pid);
});

test("a guest whose note cannot be written is told of", () => {
  writeFileSync(place().process, "");
  expect(() => noteProcess(place(), pid)).toThrow(`${place().process} cannot be written: EEXIST`);
});
