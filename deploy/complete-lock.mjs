// Completes package-lock.json: npm drops optional platform packages that its registry could not
// serve, and `npm ci` then refuses the lock. Each is put back by name and version, so that one lock
// serves every platform. Run after each change of dependencies.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./command.mjs";
import { isMain } from "./is-main.mjs";

const SYSTEMS = new Set(
  "aix android darwin freebsd linux netbsd openbsd openharmony sunos wasi win32".split(" "),
);

// Words of package names, and npm's name for the processor each means.
const PROCESSORS = new Map([
  ["aarch64", "arm64"],
  ["arm", "arm"],
  ["arm64", "arm64"],
  ["armv7", "arm"],
  ["ia32", "ia32"],
  ["loong64", "loong64"],
  ["mips64el", "mips64el"],
  ["ppc64", "ppc64"],
  ["ppc64le", "ppc64"],
  ["riscv64", "riscv64"],
  ["s390x", "s390x"],
  ["wasm32", "wasm32"],
  ["x64", "x64"],
]);

/** Adds the missing optional packages to `lock` (parsed, changed in place); answers their names. */
export function completeLock(lock) {
  const packages = lock.packages;
  const added = [];
  for (const [path, entry] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isResolved(packages, path, name)) continue;
      packages[`node_modules/${name}`] = platformEntry(name, range, entry.dev === true);
      added.push(name);
    }
  }
  lock.packages = Object.fromEntries(
    Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
  return added;
}

// Node's own look-up: beside the package that asks, then one node_modules further out each time.
function isResolved(packages, from, name) {
  for (let folder = from; ; ) {
    if (packages[`${folder ? `${folder}/` : ""}node_modules/${name}`]) return true;
    if (folder === "") return false;
    const cut = folder.lastIndexOf("/node_modules/");
    folder = cut < 0 ? "" : folder.slice(0, cut);
  }
}

function platformEntry(name, range, dev) {
  const words = name.split("/").at(-1).split(/[-.]/);
  const os = words.find((word) => SYSTEMS.has(word));
  const cpu = words
    .map((word) => PROCESSORS.get(word) ?? PROCESSORS.get(word.replace(/(gnu|musl).*$/, "")))
    .find((word) => word !== undefined);
  const libc = words.some((word) => word.startsWith("musl")) ? "musl" : undefined;
  return {
    version: range.replace(/^npm:.*@/, "").replace(/^[\^~>=\s]*/, ""),
    ...(cpu ? { cpu: [cpu] } : {}),
    ...(dev ? { dev: true } : {}),
    optional: true,
    ...(os ? { os: [os] } : {}),
    ...(libc ? { libc: [libc] } : {}),
  };
}

if (isMain(import.meta.url)) {
  const file = join(ROOT, "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const added = completeLock(lock);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${added.length} optional packages added: ${added.join(" ") || "none"}`);
}
