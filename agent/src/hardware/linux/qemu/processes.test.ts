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
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outside } from "../outside.js";
import { guestPlace } from "./place.js";
import { commandOf, failureOf, isGuestsUnit, isUnitsOwn, launch, QEMU } from "./processes.js";

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
  await launch({ outside, clock: systemClock(), needs, args: [] });
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

test.each([
  ["0::/system.slice/railyard-guest-ins-2.service\n", true],
  ["1:name=systemd:/system.slice/railyard-guest-ins-1.service\n0::/\n", true],
  ["0::/system.slice/railyard-agent.service\n", false],
  ["0::/user.slice/user-7.slice/user@7.service/app.slice/railyard-guest-ins-1.service\n", false],
])("what is in a guest's unit is that guest or none (%#)", (cgroup, isGuest) => {
  expect(isGuestsUnit(cgroup)).toBe(isGuest);
});

test("an account's process gets the account's groups, by numbers and without a shell", () => {
  const [program, ...args] = commandOf({ user: { name: "$(id)", uid: 7, gid: 8 } }, ["-m", "1M"]);
  expect(program).toBe("/usr/bin/setpriv");
  expect(args.slice(0, 3)).toEqual(["--reuid=7", "--regid=8", "--init-groups"]);
  expect(args.slice(args.indexOf("--"))).toEqual(["--", QEMU, "-m", "1M"]);
  expect(args.join(" ")).not.toContain("$(id)");
  expect(commandOf({ user: undefined }, ["-m", "1M"])).toEqual([QEMU, "-m", "1M"]);
});

test("how it failed is not told of a guest that was to stop, nor in another's words", async () => {
  rmSync(join(root, "run"), { recursive: true });
  const place = guestPlace(join(root, "g"), "ins-1");
  mkdirSync(place.dir, { recursive: true });
  const outside = { root } as Outside;
  writeFileSync(place.failure, "qemu was killed by SIGKILL");
  expect(await failureOf(outside, place)).toBe("qemu was killed by SIGKILL");
  writeFileSync(place.stopping, "");
  expect(await failureOf(outside, place)).toBeUndefined();
  rmSync(place.stopping);
  rmSync(place.failure);
  writeFileSync(join(root, "other"), "words");
  symlinkSync(join(root, "other"), place.failure);
  expect(await failureOf(outside, place)).toBeUndefined();
});
