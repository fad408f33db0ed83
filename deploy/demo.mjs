// `npm run demo`: sets up what is missing, starts a yard of eight made-up hypervisors, walks the
// operator's and the tenant's flow through it with railctl, and leaves nothing behind.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./command.mjs";
import { interruption } from "./interrupt.mjs";
import { SetupError } from "./machine.mjs";
import { readOptions } from "./options.mjs";
import { plainWords } from "./plain-words.mjs";
import { setup } from "./setup.mjs";

const USAGE = `usage: npm run demo [-- [--keep] [--data-dir FOLDER]]
  --keep              leave the yard up afterwards and say how to reach it
  --data-dir FOLDER   put all data into this empty or absent folder, and leave them there;
                      without it they go to a temporary folder that is removed in the end`;

async function main(signal) {
  const options = readOptions({ usage: USAGE, keepable: true });
  const started = performance.now();
  await setup({ signal });
  const dataDir = provideDataDir(options);
  const temporary = options.dataDir === undefined;
  try {
    await demonstrate({ dataDir, temporary, keep: options.keep, signal });
  } catch (error) {
    if (temporary) rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`\nEverything went as it should, in ${seconds} s.`);
}

// What needs installed packages is imported only once they are there.
async function demonstrate({ dataDir, temporary, keep, signal }) {
  const { openYard } = await import("./yard.mjs");
  const { walk } = await import("./story.mjs");
  const yard = await openYard({ dataDir, temporary, signal, say: console.log });
  let kept = false;
  try {
    copyFileSync(join(ROOT, "deploy", "mzone.example.yaml"), yard.places.mzone);
    console.log(yard.introduction());
    await walk(yard);
    if (!keep) return;
    await yard.keep();
    kept = true;
    console.log(yard.farewell());
  } catch (error) {
    if (!signal.aborted)
      console.error(`\nThe controller's log ends:\n${yard.logTail("controller")}`);
    throw error;
  } finally {
    if (!kept) await yard.end();
  }
}

function provideDataDir({ dataDir }) {
  if (dataDir === undefined) return mkdtempSync(join(tmpdir(), "railyard-demo-"));
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new SetupError(`${dataDir} is not empty; give another folder or empty this one.`);
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return dataDir;
}

const signal = interruption();
try {
  await main(signal);
} catch (error) {
  const reason = signal.aborted ? signal.reason : error;
  console.error(`\nThe demo ended early: ${plainWords(reason)}`);
  process.exitCode = reason.exitCode ?? 1;
}
