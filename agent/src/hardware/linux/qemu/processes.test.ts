// What is there of an earlier QEMU when the next one starts, and which processes are guests at all.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outside } from "../outside.js";
import { guestPlace } from "./place.js";
import { isUnitsOwn, launch } from "./processes.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "railyard-processes-"));
  mkdirSync(join(root, "run/systemd/system"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function launched(complaints: (path: string) => void): Promise<readonly string[]> {
  const place = guestPlace(join(root, "g"), "ins-1");
  mkdirSync(place.dir, { recursive: true });
  complaints(place.complaints);
  const found: string[] = [];
  const outside: Outside = {
    root,
    write: () => Promise.reject(new Error("nothing is written")),
    async exec(tool) {
      const isThere = lstatSync(place.complaints, { throwIfNoEntry: false }) !== undefined;
      if (tool === "systemd-run") found.push(isThere ? "old words" : "no words");
      return "ActiveState=inactive\n";
    },
  };
  const needs = { place, user: undefined, devices: [], volumes: [] };
  await launch({ outside, needs, args: [] });
  return found;
}

test("a unit's words do not mix with those of an earlier start", async () => {
  expect(await launched((path) => writeFileSync(path, "a long old complaint"))).toEqual([
    "no words",
  ]);
});

test("a guest that puts a link where its words go has nothing else written to", async () => {
  const other = join(root, "other");
  writeFileSync(other, "");
  expect(await launched((path) => symlinkSync(other, path))).toEqual(["no words"]);
  expect(existsSync(other)).toBe(true);
  expect(readFileSync(other, "utf8")).toBe("");
});

test.each([
  ["0::/system.slice/railyard-guest-ins-1.service\n", true],
  ["1:name=systemd:/system.slice/railyard-guest-ins-1.service\n0::/\n", true],
  ["0::/user.slice/user-7.slice/user@7.service/app.slice/railyard-guest-ins-1.service\n", false],
  ["0::/user.slice/user@7.service/system.slice/railyard-guest-ins-1.service\n", false],
  ["0::/system.slice/railyard-guest-ins-2.service\n", false],
])("only the machine's own systemd makes a process a guest (%#)", (cgroup, isGuest) => {
  expect(isUnitsOwn(cgroup, "ins-1")).toBe(isGuest);
});
