// Makes a fresh clone ready to run: checks the machine, installs packages, builds. Does only what
// is missing, needs no package itself, and may run in several processes at once.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build, isBuilt } from "./build.mjs";
import { ROOT, run, tail } from "./command.mjs";
import { isCurrent, packagesFingerprint, remember } from "./fingerprint.mjs";
import { isMain } from "./is-main.mjs";
import {
  checkNode,
  nodeHeadersPrefix,
  provideCompiler,
  provideNatsServer,
  SetupError,
} from "./machine.mjs";
import { withSetupLock } from "./setup-lock.mjs";

const LOG = join(ROOT, ".railyard", "setup.log");
const PACKAGES_STAMP = join(ROOT, "node_modules", ".railyard-stamp");

/**
 * Brings the checkout to a state in which it can run; `built: false` leaves the build out, `signal`
 * ends waiting for another set-up. Throws SetupError, whose message says what to do.
 */
export async function setup({ built = true, signal } = {}) {
  const say = startReport();
  checkNode();
  const onWait = (pid) => say(`waiting for the set-up that process ${pid} runs`);
  await withSetupLock(
    async () => {
      const options = { log: LOG, say };
      rmSync(LOG, { force: true });
      await provideNatsServer(options);
      await installNodePackages(options);
      signal?.throwIfAborted();
      if (built) await buildIfChanged(options);
    },
    { onWait, signal },
  );
  say("ready");
}

async function installNodePackages({ log, say, ...options }) {
  const fingerprint = packagesFingerprint();
  if (isCurrent(PACKAGES_STAMP, fingerprint)) return;
  await provideCompiler({ log, say, ...options });
  say("installing packages with npm ci (minutes where better-sqlite3 has to be compiled)");
  const prefix = nodeHeadersPrefix();
  const env = prefix ? { npm_config_nodedir: prefix } : {};
  const code = await run("npm", ["ci", "--no-audit", "--no-fund"], { env, log });
  if (code !== 0) throw failure("npm ci", code);
  remember(PACKAGES_STAMP, fingerprint);
}

async function buildIfChanged({ log, say }) {
  if (isBuilt()) return;
  say("building");
  const code = await build({ log });
  if (code !== 0) throw failure("the build", code);
}

function failure(what, code) {
  return new SetupError(`${what} failed with exit code ${code}; the end of ${LOG}:\n${tail(LOG)}`);
}

function startReport() {
  const started = performance.now();
  return (text) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`set-up ${seconds.padStart(6)} s  ${text}`);
  };
}

if (isMain(import.meta.url)) {
  try {
    await setup();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
