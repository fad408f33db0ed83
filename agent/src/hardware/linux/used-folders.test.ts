// Tests of folders that were used: one that comes back empty is refused, whatever else is lost.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { checkUsed, lookStillThere } from "./used-folders.js";

let root: string;
let volumes: { readonly name: string; readonly path: string };
const dataDir = () => join(root, "data");
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ry-used-"));
  volumes = { name: "volumes", path: join(root, "volumes") };
  for (const path of [dataDir(), volumes.path]) mkdirSync(path);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As when a file system is not mounted, and mounted again. */
function unmount(path: string): () => void {
  renameSync(path, `${path}.away`);
  mkdirSync(path);
  return () => {
    rmSync(path, { recursive: true });
    renameSync(`${path}.away`, path);
  };
}

test("a folder that was used is refused while an empty one is in its place", () => {
  checkUsed(dataDir(), volumes);
  const mount = unmount(volumes.path);
  for (let tries = 0; tries < 2; tries++) {
    expect(() => checkUsed(dataDir(), volumes)).toThrow(
      expect.objectContaining({
        code: "unavailable",
        message: expect.stringMatching(/mounted\?.*volumes\.used/),
      }),
    );
  }
  mount();
  checkUsed(dataDir(), volumes);
});

test("a folder with things in it from before folders were marked is used", () => {
  writeFileSync(join(volumes.path, "vol-1"), "");
  checkUsed(dataDir(), volumes);
  unmount(volumes.path);
  expect(() => checkUsed(dataDir(), volumes)).toThrow("mounted?");
});

test("with a new data directory a marked folder counts as used again", () => {
  checkUsed(dataDir(), volumes);
  unmount(dataDir());
  checkUsed(dataDir(), volumes);
  unmount(volumes.path);
  expect(() => checkUsed(dataDir(), volumes)).toThrow("mounted?");
});

test("to begin with an empty folder, its memory is removed", () => {
  checkUsed(dataDir(), volumes);
  unmount(volumes.path);
  rmSync(join(dataDir(), "volumes.used"));
  checkUsed(dataDir(), volumes);
});

test("what cannot be read or written is refused, not taken for new", () => {
  mkdirSync(join(volumes.path, ".railyard"));
  expect(() => checkUsed(dataDir(), volumes)).toThrow(
    expect.objectContaining({ code: "unavailable", message: expect.stringContaining("EISDIR") }),
  );
});

test("a folder whose server does not answer is waited for until the deadline", async () => {
  checkUsed(dataDir(), volumes);
  const clock = new ManualClock();
  const look = lookStillThere(clock, [volumes.path]);
  await look();
  const mark = join(volumes.path, ".railyard");
  rmSync(mark);
  // Whoever opens it waits until somebody else does.
  execFileSync("/usr/bin/mkfifo", [mark]);
  // More than there are threads to wait in.
  const looks = Array.from({ length: 8 }, () => look().catch(asRailyardError));
  await clock.advance(10_000);
  for (const one of looks) expect(await one).toMatchObject({ code: "deadline" });
  const writer = openSync(mark, "w");
  rmSync(mark);
  closeSync(writer);
  await vi.waitFor(() => expect(look()).rejects.toThrow("mounted?"), 30_000);
  writeFileSync(mark, "");
  await look();
});
