// Tells whether files changed since something was made from them, by names, sizes and times. It
// knows nothing of what is made.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOT } from "./command.mjs";
import { WORKSPACES } from "./workspaces.mjs";

const SKIPPED = new Set(["node_modules", "dist", "gen"]);
const ROOT_FILES = ["buf.yaml", "buf.gen.yaml", "tsconfig.base.json", "tsconfig.json"];
const SOURCE = /\.(ts|proto|json)$/;

/** A digest over everything that the build reads. */
export function sourcesFingerprint() {
  const files = WORKSPACES.flatMap(({ name }) => sourcesBelow(join(ROOT, name)));
  const hash = createHash("sha256");
  for (const file of [...ROOT_FILES.map((name) => join(ROOT, name)), ...files].sort()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(ROOT, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

/** A digest over what the installed packages depend on: the lock and Node's binary interface. */
export function packagesFingerprint() {
  return createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .update(`${process.platform} ${process.arch} ${process.versions.modules}`)
    .digest("hex");
}

/** True when `stamp` holds exactly `fingerprint`. */
export function isCurrent(stamp, fingerprint) {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint;
}

/** Remembers `fingerprint` in `stamp`. */
export function remember(stamp, fingerprint) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, fingerprint);
}

function sourcesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sourcesBelow(path);
    return SOURCE.test(entry.name) ? [path] : [];
  });
}
