// The process of a tier, seen from above: what it tells and writes comes up, and whichever way it
// ends, nothing of it is left.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Told } from "./one-tier.js";
import { runTierProcess } from "./tier-process.js";

/** Leaves a process that has the tier's output open, so that only its end is the output's. */
const SLEEPER = `
  import { spawn } from "node:child_process";
  spawn("/bin/sleep", ["1000"], { stdio: "inherit" });
  process.send({ kind: "note", line: "sleeping" });`;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tier-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** How a tier ended whose process runs `code`, and what came up of it. */
async function run(
  code: string,
  { signal = new AbortController().signal, onTold = () => {} } = {},
) {
  const script = join(dir, "tier.mjs");
  writeFileSync(script, code);
  const [told, complaints] = [[] as Told[], [] as string[]];
  const how = await runTierProcess({
    ...{ name: "overlay", script, signal },
    onTold: (one) => {
      told.push(one);
      onTold();
    },
    onComplaint: (line) => complaints.push(line),
  });
  return { how, told, complaints };
}

function lineIn([told]: readonly Told[]): string {
  if (told?.kind !== "note") throw new Error(`not a note: ${JSON.stringify(told)}`);
  return told.line;
}

test("a tier that ends well tells what it proved, and its folder goes with it", async () => {
  const { how, told } = await run(`
    import { tmpdir } from "node:os";
    process.send({ kind: "note", line: tmpdir() });
    process.send({ kind: "proof", sentence: process.argv[2], held: true, seconds: 1 });
    process.disconnect();`);
  expect(how).toBeUndefined();
  expect(told[1]).toEqual({ kind: "proof", sentence: "overlay", held: true, seconds: 1 });
  expect(lineIn(told)).not.toBe(tmpdir());
  expect(existsSync(lineIn(told))).toBe(false);
});

test("a tier that fails says how, and nothing that it started is left", async () => {
  const { how, complaints } = await run(`${SLEEPER}
    console.error("no good");
    process.once("disconnect", () => process.exit(3));
    process.disconnect();`);
  expect(how).toBe("its process ended with 3");
  expect(complaints).toEqual(["no good"]);
});

test("a tier that is told to end does, with all that it started", async () => {
  const end = new AbortController();
  const { how } = await run(SLEEPER, { signal: end.signal, onTold: () => end.abort() });
  expect(how).toBe("was ended before it was done");
});
