// That the bench runs: a few calls of what needs no long preparation, and its last line. How fast
// anything is, is not asked here: the machine that runs the tests has other work.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readResult, readTimes, together } from "./load.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SCRIPT = fileURLToPath(new URL("../dist/bench/bench.js", import.meta.url));
const MINUTES_MAX = 6 * 60_000;
const H2LOAD = "/usr/bin/h2load";

test.skipIf(!existsSync(H2LOAD))(
  "the bench measures reads and creates, and ends with its figures (needs h2load)",
  async () => {
    const args = [SCRIPT, "api", "--quick", "--json", "--only", "reads", "--only", "instances"];
    // A missed gate ends with 1: that is for the bench to say, not for this test.
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT }).catch(
      (ended: { code: number; stdout: string }) => {
        if (ended.code !== 1) throw ended;
        return ended;
      },
    );
    const { figures } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    expect(figures.map(({ name }: { name: string }) => name)).toEqual([
      "GetInstance of echo",
      "ListInstances of 100 of echo",
      "CreateInstance of echo",
    ]);
    for (const { value, unit, goal, ok } of figures) {
      expect(value).toBeGreaterThan(0);
      expect({ unit, goal }).toEqual({ unit: "×", goal: expect.stringMatching(/^>= 0\.\d+$/) });
      expect(ok).toBeTypeOf("boolean");
    }
  },
  MINUTES_MAX,
);

test("a call that did not go well is no measurement", () => {
  const text = (good: number) => `finished in 1.50s, 20.00 req/s, 1.2KB/s
requests: 30 total, 30 started, 30 done, ${good} succeeded, 0 failed, 0 errored, 0 timeout
status codes: ${good} 2xx, 0 3xx, 0 4xx, 0 5xx`;
  expect(readResult(text(30), 30)).toEqual({ seconds: 1.5, callsPerSecond: 20 });
  expect(() => readResult(text(29), 30)).toThrow("29 of 30");
});

test("loads side by side count while all of them are under way", () => {
  const early = readTimes("0\t200\t1000000\n1000000\t200\t1000000\n");
  const late = readTimes("1500000\t200\t2000000\n");
  expect(early[1]).toEqual({ start: 1_000_000, end: 2_000_000 });
  expect(together([late, early])).toEqual({ seconds: 0.5, callsPerSecond: 2 });
  expect(together([early])).toEqual({ seconds: 2, callsPerSecond: 1 });
  const never = readTimes("2500000\t200\t1500000\n");
  expect(together([early, never])).toEqual({ seconds: 4, callsPerSecond: 0.75 });
});
