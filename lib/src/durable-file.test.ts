// Tests of files that are replaced whole and kept from others.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { KeptFile, readIfThere, writeDurably } from "./durable-file.js";

/** What somebody else does as soon as a file was renamed into its place. */
const others = vi.hoisted(() => ({ act: () => {} }));
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const renameSync: typeof real.renameSync = (from, to) => {
    real.renameSync(from, to);
    others.act();
  };
  return { ...real, renameSync };
});

const folder = mkdtempSync(join(tmpdir(), "railyard-durable-"));
const path = join(folder, "secret");

afterEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("what was written is read back, and nothing else is left lying there", () => {
  writeDurably(path, "one");
  writeDurably(path, "two");
  expect(readIfThere(path)).toBe("two");
  expect(readdirSync(folder)).toEqual(["secret"]);
});

test("only its owner may read it, even when an earlier file was open to all", () => {
  writeFileSync(path, "open", { mode: 0o644 });
  writeFileSync(`${path}.new`, "left by a crash", { mode: 0o666 });
  writeDurably(path, "shut");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a missing file is undefined, anything else wrong is thrown", () => {
  expect(readIfThere(path)).toBeUndefined();
  expect(() => readIfThere(folder)).toThrow("EISDIR");
});

test("a kept file is known by what it holds, whoever wrote it, and whether it is there", () => {
  const file = new KeptFile(path);
  expect(file.holds("ours")).toBe(false);
  file.write("ours");
  expect([file.holds("ours"), file.holds("hers"), file.holds("ours")]).toEqual([true, false, true]);
  expect(readIfThere(path)).toBe("ours");
  writeFileSync(path, "not ours");
  expect([file.holds("ours"), file.holds("not ours")]).toEqual([false, true]);
  rmSync(path);
  expect(file.holds("not ours")).toBe(false);
  expect(() => new KeptFile(folder).holds("")).toThrow("EISDIR");
});

test("who spoils a kept file the moment it was written is found out", () => {
  const file = new KeptFile(path);
  others.act = () => writeFileSync(path, "not ours");
  file.write("ours");
  others.act = () => {};
  expect(file.holds("ours")).toBe(false);
  file.write("ours");
  expect(file.holds("ours")).toBe(true);
});
