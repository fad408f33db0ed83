// Makes what is not committed: TypeScript and a descriptor image from the contract, then dist/ of
// every workspace. `node deploy/build.mjs [build|gen|clean]`: without a word, build.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { bin, ROOT, run } from "./command.mjs";
import { isCurrent, remember, sourcesFingerprint } from "./fingerprint.mjs";
import { isMain } from "./is-main.mjs";
import { withSetupLock } from "./setup-lock.mjs";
import { WORKSPACES } from "./workspaces.mjs";

const GENERATED = join(ROOT, "proto", "src", "gen");
const IMAGE = "image.binpb";
const STAMP = join(ROOT, "proto", "dist", ".railyard-stamp");
const OUTPUT_SUFFIXES = [".d.ts.map", ".js.map", ".d.ts", ".js"];

/** Generates code and the descriptor image; files that come out the same are left untouched. */
export async function generate({ log } = {}) {
  const cache = join(ROOT, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const made = mkdtempSync(join(cache, "gen-"));
  const fresh = join(made, "proto", "src", "gen");
  try {
    mkdirSync(fresh, { recursive: true });
    const image = join(fresh, IMAGE);
    const steps = [
      ["generate", "-o", made],
      ["build", "--as-file-descriptor-set", "-o", image],
    ];
    for (const step of steps) {
      const code = await run(bin("buf"), step, { log });
      if (code !== 0) return code;
    }
    mirror(fresh, GENERATED);
    return 0;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** Compiles (and so type-checks) every workspace into its dist/; answers the exit code. */
export async function compile({ log } = {}) {
  for (const workspace of WORKSPACES) prune(workspace);
  const code = await run(bin("tsc"), ["--build"], { log });
  if (code !== 0) return code;
  const target = join(ROOT, "proto", "dist", "gen");
  mkdirSync(target, { recursive: true });
  copyFileSync(join(GENERATED, IMAGE), join(target, IMAGE));
  return 0;
}

/** Generates, then compiles; a success is remembered together with the sources it belongs to. */
export async function build(options) {
  const fingerprint = sourcesFingerprint();
  const code = (await generate(options)) || (await compile(options));
  if (code === 0) remember(STAMP, fingerprint);
  return code;
}

/** Whether the last build was of the sources as they are now, and is whole. */
export function isBuilt() {
  const whole = WORKSPACES.every(({ name }) => existsSync(join(ROOT, name, "dist")));
  return whole && isCurrent(STAMP, sourcesFingerprint());
}

/** Removes everything that build made. */
export function clean() {
  rmSync(GENERATED, { recursive: true, force: true });
  for (const { name } of WORKSPACES) {
    rmSync(join(ROOT, name, "dist"), { recursive: true, force: true });
  }
}

// Makes `to` equal to `from`, writing only what differs: unchanged files keep their times, so a
// process that is reading them and the incremental compiler notice nothing.
function mirror(from, to) {
  const wanted = new Set(filesBelow(from).map((file) => relative(from, file)));
  for (const file of filesBelow(to)) if (!wanted.has(relative(to, file))) rmSync(file);
  for (const name of wanted) {
    const bytes = readFileSync(join(from, name));
    const target = join(to, name);
    if (existsSync(target) && readFileSync(target).equals(bytes)) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
}

// The compiler leaves the output of a deleted source behind; a stale module could still be loaded.
function prune({ name, source }) {
  const dist = join(ROOT, name, "dist");
  for (const file of filesBelow(dist)) {
    const suffix = OUTPUT_SUFFIXES.find((end) => file.endsWith(end));
    if (suffix === undefined) continue;
    const stem = join(ROOT, name, source, relative(dist, file).slice(0, -suffix.length));
    if (!existsSync(`${stem}.ts`)) rmSync(file);
  }
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

if (isMain(import.meta.url)) {
  const verbs = { gen: generate, build, clean };
  const verb = verbs[process.argv[2] ?? "build"];
  if (verb) process.exitCode = (await withSetupLock(() => verb())) ?? 0;
  else throw new Error(`unknown word ${process.argv[2]}: say gen, build or clean`);
}
