// Proves that a folder is made for its owner alone, and that what stands in the way is named.
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makePrivateFolder } from "./private-folder.js";

const folder = mkdtempSync(join(tmpdir(), "railyard-folder-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("missing parents are made, for their owner alone", () => {
  const path = join(folder, "a", "b");
  makePrivateFolder(path, "RAILYARD_T");
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test("a folder that is there keeps its mode", () => {
  const path = join(folder, "there");
  makePrivateFolder(path, "RAILYARD_T");
  chmodSync(path, 0o750);
  makePrivateFolder(path, "RAILYARD_T");
  expect(statSync(path).mode & 0o777).toBe(0o750);
});

test("what cannot be a folder is refused, naming setting, path and why", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  for (const path of [file, join(file, "below"), "/dev/null/x", "/proc/railyard"]) {
    expect(() => makePrivateFolder(path, "RAILYARD_T"), path).toThrow(`RAILYARD_T: ${path} cannot`);
  }
});
