// What the machine itself has to offer before the project can be installed: Node, the tools that
// compile better-sqlite3, and nats-server. Debian's packages are installed when we are root;
// otherwise the exact command is named.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./command.mjs";
import { findProgram } from "./find-program.mjs";
import { findNatsServer } from "./nats-server.mjs";

const NODE_AT_LEAST = [20, 19];
const COMPILER_PACKAGES = { python3: "python3", make: "make", "g++": "g++" };

/** Something the machine lacks and only its owner can put right; the message says how. */
export class SetupError extends Error {}

/** Throws SetupError when the running Node is too old. */
export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [needMajor, needMinor] = NODE_AT_LEAST;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new SetupError(
    `Node ${needMajor}.${needMinor} or newer is needed, this is ${process.versions.node}.`,
  );
}

/** Makes sure that python3, make and g++ are there. */
export async function provideCompiler(options) {
  const missing = Object.keys(COMPILER_PACKAGES).filter((name) => !findProgram(name));
  if (missing.length === 0) return;
  const packages = missing.map((name) => COMPILER_PACKAGES[name]);
  await installPackages(packages, { ...options, why: "to compile better-sqlite3" });
}

/** Makes sure that nats-server is there; never starts or configures it. */
export async function provideNatsServer(options) {
  if (findNatsServer()) return;
  if (process.env.NATS_SERVER) {
    throw new SetupError(`NATS_SERVER=${process.env.NATS_SERVER} is not an executable file.`);
  }
  await installPackages(["nats-server"], { ...options, why: "to carry messages to agents" });
  if (!findNatsServer()) throw new SetupError("nats-server was installed but cannot be found.");
}

/** Makes sure that h2load is there, which loads servers; answers its path. */
export async function provideH2load(options) {
  if (!findProgram("h2load")) {
    await installPackages(["nghttp2-client"], { ...options, why: "to load the API with h2load" });
  }
  const found = findProgram("h2load");
  if (!found) throw new SetupError("nghttp2-client was installed but h2load cannot be found.");
  return found;
}

/** The prefix whose C++ headers belong to the running Node, or undefined: then they are fetched. */
export function nodeHeadersPrefix() {
  const prefix = dirname(dirname(process.execPath));
  const header = join(prefix, "include", "node", "node_version.h");
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, "utf8");
  const version = ["MAJOR", "MINOR", "PATCH"]
    .map((part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1])
    .join(".");
  return version === process.versions.node ? prefix : undefined;
}

async function installPackages(packages, { log, say, why }) {
  const names = packages.join(" ");
  const byHand = `apt-get update && apt-get install -y --no-install-recommends ${names}`;
  const apt = findProgram("apt-get");
  if (!apt || process.getuid?.() !== 0) {
    throw new SetupError(`${names} is needed ${why}; as root run: ${byHand}`);
  }
  say(`installing ${names} with apt-get (${why})`);
  // Run level 1 keeps a package from starting the service that it may bring along.
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  for (const args of [["update"], install]) {
    if ((await run(apt, args, { env, log })) === 0) continue;
    throw new SetupError(`apt-get ${args[0]} failed; after putting that right, run: ${byHand}`);
  }
}
