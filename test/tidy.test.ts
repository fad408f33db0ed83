// The house rules, kept by a test: every source file is parsed and looked at by each check.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOM_IMPORTS } from "./tidy/import-table.js";
import { checkImports } from "./tidy/imports.js";
import { checkShape } from "./tidy/shape.js";
import { type Check, ROOT, readSources } from "./tidy/source.js";
import { checkWords } from "./tidy/words.js";

const sources = readSources();

// Shipped files each workspace has at least: a check that sees nothing passes everything.
const FILES_AT_LEAST = { lib: 8, controller: 20, agent: 12, cli: 6 };

function findingsOf(check: Check): string[] {
  return sources.flatMap(check).map(({ path, line, message }) => `${path}:${line} ${message}`);
}

test("rooms import only what the table allows", () => {
  expect(findingsOf(checkImports)).toEqual([]);
});

test("files, functions and lines keep their limits, and every file opens with its purpose", () => {
  expect(findingsOf(checkShape)).toEqual([]);
});

test("no forbidden call, word or form is used", () => {
  expect(findingsOf(checkWords)).toEqual([]);
});

test("the checks saw every workspace", () => {
  for (const [workspace, least] of Object.entries(FILES_AT_LEAST)) {
    const seen = sources.filter(({ path, exempt }) => path.startsWith(`${workspace}/`) && !exempt);
    expect(seen.length, workspace).toBeGreaterThanOrEqual(least);
  }
});

test("the checks saw a file in every room that exists", () => {
  for (const workspace of Object.keys(ROOM_IMPORTS)) {
    const folder = join(ROOT, workspace, "src");
    if (!existsSync(folder)) continue;
    for (const room of readdirSync(folder, { withFileTypes: true })) {
      if (room.isDirectory() && readdirSync(join(folder, room.name)).length === 0) continue;
      const prefix = `${workspace}/src/${room.name}`;
      const seen = sources.some(({ path }) => path === prefix || path.startsWith(`${prefix}/`));
      expect(seen, prefix).toBe(true);
    }
  }
});
