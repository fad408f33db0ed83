// Tests of what reads as absent and what does not, on real files.
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readLink, readLinkName, readNames, readNumber, readText } from "./attributes.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "attributes-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("what is not there reads as absent", () => {
  const path = join(dir, "gone");
  expect([readText(path), readLink(path)]).toEqual([undefined, undefined]);
  expect([readNumber(path, 7), readLinkName(path), readNames(path)]).toEqual([7, "", []]);
});

test("texts are trimmed, numbers are whole, links end in a name", () => {
  writeFileSync(join(dir, "text"), " 4 \n");
  writeFileSync(join(dir, "bad"), "4x");
  symlinkSync("../drivers/vfio-pci", join(dir, "driver"));
  expect(readText(join(dir, "text"))).toBe("4");
  expect(readNumber(join(dir, "text"), 0)).toBe(4);
  expect(readNumber(join(dir, "bad"), 0)).toBe(0);
  expect(readLinkName(join(dir, "driver"))).toBe("vfio-pci");
});

test("a directory that cannot be listed is no empty directory", () => {
  symlinkSync("loop", join(dir, "loop"));
  expect(() => readNames(join(dir, "loop"))).toThrow(
    expect.objectContaining({ code: "unavailable" }),
  );
});
