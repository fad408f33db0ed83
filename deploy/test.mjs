// `npm test`: every check of this repository, one stage after the other, on a bare machine too.
// Stops at the first stage that fails; the last line counts the tests.
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  statfsSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { bin, run } from "./command.mjs";
import { checkContract } from "./contract.mjs";
import { interruption } from "./interrupt.mjs";
import { hasLab, LAB_NEEDS, runLab } from "./lab.mjs";
import { setup } from "./setup.mjs";
import { withSetupLock } from "./setup-lock.mjs";

const MEMORY = "/dev/shm";
const SCRATCH_BYTES = 2 * 1024 ** 3;
const TRIES_AGAIN = 10;
/** A busy machine takes several times what a quiet one does. */
const TESTS_MS_MAX = 60 * 60_000;

/** What is counted of a run that left no report. */
const NOTHING = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };

const STAGES = [
  { name: "set-up", run: () => setup({ built: false }).then(() => 0) },
  { name: "lint", run: () => run(bin("biome"), ["check", "."]) },
  { name: "contract lint", run: () => run(bin("buf"), ["lint"]) },
  { name: "contract unbroken", run: checkContract },
  { name: "build and type check", run: () => withSetupLock(() => build()) },
];

async function main() {
  for (const stage of STAGES) if (!(await passes(stage))) return 1;
  const signal = interruption();
  const tested = await inScratch(test);
  // Not beside the tests, of which some measure time.
  const held = tested.passed && !signal.aborted && (await labHolds());
  if (signal.aborted) return signal.reason.exitCode;
  console.log(count(tested.report, held));
  return held ? 0 : 1;
}

/** Minutes with emulated machines: where nobody waits, or when asked for; never beside a filter. */
async function labHolds() {
  const { CI, RAILYARD_LAB } = process.env;
  const wanted = process.argv.length === 2 && (RAILYARD_LAB ?? (CI ? "1" : "")) === "1";
  if (!wanted) return true;
  if (hasLab()) return passes({ name: "lab", run: () => runLab([]) });
  console.log(`skip lab (${LAB_NEEDS})`);
  return true;
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

async function test(folder) {
  const file = join(folder, "report.json");
  const passed = await passes({ name: "tests", run: () => runTests(file, folder) });
  const report = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : NOTHING;
  return { passed, report };
}

async function inScratch(work) {
  const folder = mkdtempSync(join(scratch(), "railyard-test-"));
  // A guest that runs as another account has to get through to its own folder.
  chmodSync(folder, 0o711);
  try {
    return await work(folder);
  } finally {
    // A process that a test left may still write there.
    await rm(folder, { recursive: true, force: true, maxRetries: TRIES_AGAIN });
  }
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
  return run(bin("vitest"), args, { env: { TMPDIR: folder }, limitMs: TESTS_MS_MAX });
}

// Neither the lab nor a file that could not be loaded has a failed test, yet the run failed.
function count(counted, held) {
  const failed = Math.max(counted.numFailedTests, held ? 0 : 1);
  const skipped = counted.numPendingTests + counted.numTodoTests;
  const line = `${counted.numPassedTests} passed, ${failed} failed`;
  return skipped > 0 ? `${line}, ${skipped} skipped` : line;
}

process.exitCode = await main();
