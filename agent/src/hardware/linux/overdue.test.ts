// Attribute writes that the kernel never answers, as pipes that nobody reads: what else the agent
// has to do with files must go on, and what hangs must not be begun again and again.
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Outside, systemOutside } from "./outside.js";
import { Overdue } from "./overdue.js";

const DEADLINE_MS = 200;
/** For what does not hang, however busy the machine is. */
const LONG_MS = 60_000;
const PIPES = ["a", "b", "c", "d", "e", "f"].map((name) => `/${name}`);
let root: string;
let outside: Outside;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "railyard-overdue-"));
  for (const name of PIPES) execFileSync("/usr/bin/mkfifo", [join(root, name)]);
  writeFileSync(join(root, "attribute"), "");
  outside = systemOutside(systemClock(), root);
});
afterEach(() => {
  release();
  rmSync(root, { recursive: true, force: true });
});

/** Lets go whoever waits for a reader. */
function release(): void {
  const flags = constants.O_RDWR | constants.O_NONBLOCK;
  for (const file of PIPES.map((name) => openSync(join(root, name), flags))) {
    setTimeout(() => closeSync(file), DEADLINE_MS);
  }
}

const written = (name: string, deadlineMs = DEADLINE_MS) =>
  outside.write(name, "1", deadlineMs).then(
    () => "written",
    (thrown) => asRailyardError(thrown).message,
  );

test("attributes that hang leave the agent its own files", async () => {
  const answers = await Promise.all(PIPES.map((name) => written(name)));
  expect(answers.join()).toContain(`did not answer within ${DEADLINE_MS} ms`);
  const read = readFile(join(root, "attribute"), "utf8");
  const late = new Promise((resolve) => setTimeout(() => resolve("late"), LONG_MS));
  expect(await Promise.race([read, late])).toBe("");
});

test("a write that hangs is not begun again before it ended, and then is", async () => {
  expect(await written("/a")).toContain("did not answer");
  expect(await written("/a")).toContain("an earlier one still hangs");
  expect(await written("/attribute", LONG_MS)).toBe("written");
  release();
  await vi.waitFor(async () => expect(await written("/a")).not.toContain("still hangs"));
});

test("what nobody waits for any more is not written once there is a place for it", async () => {
  const hanging = PIPES.slice(0, 3).map((name) => written(name));
  const waiting = written("/attribute");
  expect(await waiting).toContain("did not answer");
  await Promise.all(hanging);
  release();
  await vi.waitFor(async () => expect(await written("/a")).not.toContain("hangs"));
  expect(await readFile(join(root, "attribute"), "utf8")).toBe("");
});

test("work that fails is no work that hangs", async () => {
  const overdue = new Overdue(systemClock());
  const limit = { ms: 1_000, what: "it" };
  for (const _ of [1, 2]) {
    await expect(overdue.within(limit, () => Promise.reject(new Error("no")))).rejects.toThrow(
      "no",
    );
  }
});
