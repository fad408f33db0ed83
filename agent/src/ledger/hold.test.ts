// Tests of the hold on a real directory, in this process and from another one.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { holdDirectory } from "./hold.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hold-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const taken = { code: "unavailable", message: expect.stringContaining("another agent") };

test("a directory has one holder, whatever path leads to it, until it is released", async () => {
  const hold = await holdDirectory(join(dir, "data"));
  symlinkSync(join(dir, "data"), join(dir, "again"));
  await expect(holdDirectory(join(dir, "again"))).rejects.toMatchObject(taken);
  const other = await holdDirectory(join(dir, "other"));
  other.release();
  hold.release();
  hold.release();
  (await holdDirectory(join(dir, "data"))).release();
});

test("a holder that is killed holds nothing any more", async () => {
  const script = `import(${JSON.stringify(join(import.meta.dirname, "hold.ts"))})
    .then((m) => m.holdDirectory(${JSON.stringify(dir)}))
    .then(() => { console.log("held"); setInterval(() => {}, 1000); });`;
  const args = ["--import", "tsx", "--conditions", "railyard-source", "--eval", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  await expect(holdDirectory(dir)).rejects.toMatchObject(taken);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  (await holdDirectory(dir)).release();
});
