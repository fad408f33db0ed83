// `npm run lab`: proofs on a real kernel with real devices, which no unit test can give. Sets up,
// builds, and runs the tiers, which are in test/lab.
import { join } from "node:path";
import { ROOT, run } from "./command.mjs";
import { isMain } from "./is-main.mjs";
import { SetupError } from "./machine.mjs";
import { setup } from "./setup.mjs";

const USAGE = `usage: npm run lab [-- --only TIER]… [-- --list] [-- --json]

  --only   only this tier
  --list   what there is
  --json   the output is one list of all proofs

Needs Linux and root. Installs what is missing from Debian's packages, and keeps what it built in
~/.cache/railyard-lab*. Two tiers run at a time. One that cannot run here is skipped, with the
reason. Ends with 1 when something was not as it should be.`;

/** For a lab that does not even keep its own limit. */
const LIMIT_MS = 45 * 60_000;

/** What `hasLab` is about. */
export const LAB_NEEDS = "needs Linux and root";

/** Whether the lab can run on this machine at all; what single tiers need they say themselves. */
export function hasLab() {
  return process.platform === "linux" && process.getuid() === 0;
}

/** Runs the tiers over what was built; answers an exit code. */
export function runLab(flags) {
  const node = ["--import", "tsx", "--conditions=railyard-source"];
  const script = join(ROOT, "test", "lab", "main.ts");
  return run(process.execPath, [...node, script, ...flags], { limitMs: LIMIT_MS });
}

async function main(flags) {
  if (flags.includes("--help")) {
    console.error(USAGE);
    return 2;
  }
  if (!hasLab()) {
    console.log(`0 proved, 0 failed: the lab is skipped, since it ${LAB_NEEDS}`);
    return 0;
  }
  if (!flags.includes("--json") && !flags.includes("--list")) await setup();
  return runLab(flags);
}

if (isMain(import.meta.url)) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
