// What a guest's folder says of it, when the disk does not take it.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRecord, writeRecord } from "./folder.js";
import { guestPlace } from "./place.js";

const BEFORE = { bootCount: 1, args: ["-smp", "1"] };
let root: string;
let place: ReturnType<typeof guestPlace>;
let done: number;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "railyard-folder-"));
  place = guestPlace(root, "ins-1");
  mkdirSync(place.dir);
  done = 0;
  await writeRecord(place, BEFORE);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const work = async () => {
  done += 1;
};

test("what is recorded holds once the work was done", async () => {
  await writeRecord(place, { ...BEFORE, bootCount: 2 }, work);
  expect([readRecord(place), done]).toEqual([{ ...BEFORE, bootCount: 2 }, 1]);
});

test("what cannot be recorded is not done", async () => {
  mkdirSync(`${place.definition}.draft`);
  await expect(writeRecord(place, { ...BEFORE, bootCount: 2 }, work)).rejects.toThrow();
  expect([readRecord(place), done]).toEqual([BEFORE, 0]);
});

test("work that fails leaves the record as it was", async () => {
  const fails = () => Promise.reject(new Error("no reset"));
  await expect(writeRecord(place, { ...BEFORE, bootCount: 2 }, fails)).rejects.toThrow("no reset");
  expect(readRecord(place)).toEqual(BEFORE);
});
