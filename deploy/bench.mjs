// `npm run bench`: measures how fast the product is. Brings the machine what the load needs,
// builds, and runs the measurements, which are in test/bench.
import { join } from "node:path";
import { ROOT, run } from "./command.mjs";
import { provideH2load, SetupError } from "./machine.mjs";
import { setup } from "./setup.mjs";

const USAGE = `usage: npm run bench -- [SUITE]… [--quick] [--json] [--only MEASURE]…

  api        the API against bare gRPC and bare SQLite, under load from h2load
  placement  decisions about where instances go, against two plain schedulers
  agent      what an agent costs its machine, over made-up hardware
  --quick    a few calls of everything: shows that it works, measures nothing
  --json     the last line is one object of all figures
  --only     only this measure

Without a suite all of them. Ends with 1 when a figure misses its gate, which stands at half of its
goal.`;

const SUITES = ["api", "placement", "agent"];
const LOG = join(ROOT, ".railyard", "bench.log");
const LIMIT_MS = 60 * 60_000;

async function main(args) {
  const suites = args.slice(0, args.findIndex((arg) => arg.startsWith("-")) >>> 0);
  if (args.includes("--help") || suites.some((suite) => !SUITES.includes(suite))) {
    console.error(USAGE);
    return 2;
  }
  await setup();
  const env = { RAILYARD_H2LOAD: await h2loadFor(suites) };
  const script = join(ROOT, "test", "dist", "bench", "bench.js");
  return run(process.execPath, [script, ...args], { env, limitMs: LIMIT_MS });
}

/** Its path; empty where nothing is loaded with it. */
async function h2loadFor(suites) {
  const needed = suites.length === 0 || suites.includes("api");
  return needed ? provideH2load({ log: LOG, say: (text) => console.log(text) }) : "";
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
