// `npm test`: every check of this repository, one stage after the other, on a bare machine too.
// Stops at the first stage that fails; the last line counts the tests.
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { bin, run } from "./command.mjs";
import { checkContract } from "./contract.mjs";
import { interruption } from "./interrupt.mjs";
import { hasLab, runLab } from "./lab.mjs";
import { setup } from "./setup.mjs";
import { withSetupLock } from "./setup-lock.mjs";

const MEMORY = "/dev/shm";
const SCRATCH_BYTES = 2 * 1024 ** 3;

/** The tiers that show the agent's own hands on real VFs, and on every setting of one. */
const LAB = ["sriov", "sriov-settings"].flatMap((tier) => ["--only", tier]);

const STAGES = [
  { name: "set-up", run: () => setup({ built: false }).then(() => 0) },
  { name: "lint", run: () => run(bin("biome"), ["check", "."]) },
  { name: "contract lint", run: () => run(bin("buf"), ["lint"]) },
  { name: "contract unbroken", run: checkContract },
  { name: "build and type check", run: () => withSetupLock(() => build()) },
  ...(labWanted() ? [{ name: "lab", run: () => runLab(LAB) }] : []),
];

/** Minutes with emulated machines: where nobody waits, or when asked for; never beside a filter. */
function labWanted() {
  const { CI, RAILYARD_LAB } = process.env;
  return process.argv.length === 2 && hasLab() && (RAILYARD_LAB ?? (CI ? "1" : "")) === "1";
}

async function main() {
  for (const stage of STAGES) if (!(await passes(stage))) return 1;
  const signal = interruption();
  const folder = mkdtempSync(join(scratch(), "railyard-test-"));
  // A guest that runs as another account has to get through to its own folder.
  chmodSync(folder, 0o711);
  try {
    const report = join(folder, "report.json");
    const tests = { name: "tests", run: () => runTests(report, folder) };
    const passed = await passes(tests);
    if (signal.aborted) return signal.reason.exitCode;
    console.log(existsSync(report) ? count(report, passed) : "0 passed, 1 failed");
    return passed ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function passes({ name, run: work }) {
  const started = performance.now();
  let code;
  try {
    code = await work();
  } catch (error) {
    console.error(error.message);
    code = 1;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  return code === 0;
}

/** Made-up machines are thousands of small files: in memory where there is room for them. */
function scratch() {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= SCRATCH_BYTES ? MEMORY : tmpdir();
  } catch {
    // Not every system has it.
    return tmpdir();
  }
}

function runTests(report, folder) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${report}`];
  const args = ["run", ...reporters, ...process.argv.slice(2)];
  return run(bin("vitest"), args, { env: { TMPDIR: folder } });
}

// A file that could not be loaded has no failed test of its own, yet the run failed.
function count(report, passed) {
  const counted = JSON.parse(readFileSync(report, "utf8"));
  const failed = Math.max(counted.numFailedTests, passed ? 0 : 1);
  const skipped = counted.numPendingTests + counted.numTodoTests;
  const line = `${counted.numPassedTests} passed, ${failed} failed`;
  return skipped > 0 ? `${line}, ${skipped} skipped` : line;
}

process.exitCode = await main();
