// `npm run dev`: the demo's yard without the walk, in the foreground until Ctrl-C. Its data stay,
// so that the next start finds everything as it was.
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./command.mjs";
import { Interrupted, interruption } from "./interrupt.mjs";
import { readOptions } from "./options.mjs";
import { plainWords } from "./plain-words.mjs";
import { setup } from "./setup.mjs";

const USAGE = `usage: npm run dev [-- [--data-dir FOLDER]]
  --data-dir FOLDER   where the yard's data are kept; .railyard/dev without it`;

async function main(signal) {
  const { dataDir = join(ROOT, ".railyard", "dev") } = readOptions({ usage: USAGE });
  await setup({ signal });
  const { openYard } = await import("./yard.mjs");
  const { bringInTenant, bringUpFleet } = await import("./story.mjs");
  const yard = await openYard({ dataDir, signal, say: console.log });
  try {
    const example = join(ROOT, "deploy", "mzone.example.yaml");
    if (!existsSync(yard.places.mzone)) copyFileSync(example, yard.places.mzone);
    console.log(yard.introduction());
    await bringInTenant(yard, await bringUpFleet(yard));
    console.log(`${yard.introduction()}\nThe yard is up. Ctrl-C ends it; its data stay.`);
    await new Promise((resolve) => yard.signal.addEventListener("abort", resolve, { once: true }));
    if (!signal.aborted) throw yard.signal.reason;
  } finally {
    await yard.end();
  }
}

const signal = interruption();
try {
  await main(signal);
} catch (error) {
  if (!signal.aborted) {
    console.error(`\nThe yard ended: ${plainWords(error)}`);
    process.exitCode = 1;
  }
}
if (signal.reason instanceof Interrupted)
  console.log(`\nThe yard has ended: ${signal.reason.message}.`);
