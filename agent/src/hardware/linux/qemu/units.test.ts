// A guest as a unit: what systemd is asked for, and what its answers mean.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Outside, Tool } from "../outside.js";
import { guestPlace } from "./place.js";
import { endUnit, failureIn, forgetUnit, hasSystemd, unitArguments } from "./units.js";

const PLACE = guestPlace("/g", "ins-1");

test("systemd is there where its directory is, though there is nothing in it", () => {
  const root = mkdtempSync(join(tmpdir(), "railyard-units-"));
  try {
    expect(hasSystemd(root)).toBe(false);
    mkdirSync(join(root, "run/systemd/system"), { recursive: true });
    expect(hasSystemd(root)).toBe(true);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("a guest is a unit of its own, named after the instance", () => {
  const needs = { place: PLACE, user: undefined, devices: [], volumes: [] };
  const args = unitArguments(needs, ["/bin/qemu", "-machine", "q35"]);
  expect(args.slice(0, 3)).toEqual(["--quiet", "--unit", "railyard-guest-ins-1.service"]);
  expect(args.slice(-4)).toEqual(["--", "/bin/qemu", "-machine", "q35"]);
  expect(args[args.indexOf("NoNewPrivileges=yes") - 1]).toBe("--property");
});

function shown(state: string, result: string, [code, status]: readonly [number, number]): string {
  return `Result=${result}\nExecMainCode=${code}\nExecMainStatus=${status}\nActiveState=${state}\n`;
}

test.each([
  [shown("failed", "signal", [2, 11]), "qemu was killed by SIGSEGV"],
  [shown("failed", "core-dump", [3, 6]), "qemu was killed by SIGABRT"],
  [shown("failed", "exit-code", [1, 1]), "qemu exited with 1"],
  [shown("failed", "oom-kill", [2, 9]), "qemu was ended for lack of memory"],
  [shown("failed", "resources", [0, 0]), "qemu's unit failed: resources"],
  [shown("active", "success", [0, 0]), undefined],
  [shown("inactive", "success", [0, 0]), undefined],
])("what systemd shows is told in words (%#)", (said, words) => {
  expect(failureIn(said)).toBe(words);
});

test.each(["failed", "inactive"])(
  "a unit that is %s is forgotten only if it failed",
  async (state) => {
    const calls: string[] = [];
    const outside: Outside = {
      root: "/",
      write: () => Promise.reject(new Error("nothing is written")),
      async exec(tool: Tool, args) {
        calls.push(`${tool} ${args[0]} ${args.at(-1)}`);
        return shown(state, "signal", [2, 9]);
      },
    };
    await forgetUnit(outside, "ins-1");
    const forgotten = calls.includes("systemctl reset-failed railyard-guest-ins-1.service");
    expect(forgotten).toBe(state === "failed");
  },
);

test.each([
  ["active", true],
  ["deactivating", true],
  ["failed", false],
  ["inactive", false],
])("of a unit that is %s nothing is left at the end", async (before, isWaitedFor) => {
  const calls: string[] = [];
  let state = before;
  const outside: Outside = {
    root: "/",
    write: () => Promise.reject(new Error("nothing is written")),
    async exec(_tool, [verb = ""]) {
      if (verb !== "show") calls.push(verb);
      // systemd has not waited for its killed process yet; stopping waits until it has.
      if (verb === "stop") state = "failed";
      if (verb === "reset-failed") state = "inactive";
      return shown(state, "signal", [2, 9]);
    },
  };
  await endUnit(outside, "ins-1");
  expect(state).toBe("inactive");
  expect(calls.includes("stop")).toBe(isWaitedFor);
});
