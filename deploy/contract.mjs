// Guards the released contract: `node deploy/contract.mjs check` compares proto/ with the committed
// image of the last release and fails on a breaking change; `release` writes that image anew.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bin, ROOT, run } from "./command.mjs";
import { isMain } from "./is-main.mjs";

const RELEASED = join(ROOT, "proto", "released.binpb");

/** Compares the contract with the released one; answers the exit code. */
export async function checkContract() {
  if (!existsSync(RELEASED)) {
    console.error("proto/released.binpb is missing: npm run release:contract writes it");
    return 1;
  }
  const cache = join(ROOT, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "contract-"));
  try {
    // Two images are compared: buf cannot compare a workspace of two modules with one image.
    const present = join(folder, "present.binpb");
    const code = await writeImage(present);
    return code || (await run(bin("buf"), ["breaking", present, "--against", RELEASED]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the present contract the released one; answers the exit code. */
export async function releaseContract() {
  return writeImage(RELEASED);
}

function writeImage(file) {
  return run(bin("buf"), ["build", "proto", "--exclude-source-info", "-o", file]);
}

if (isMain(import.meta.url)) {
  const verb = { check: checkContract, release: releaseContract }[process.argv[2]];
  if (!verb) throw new Error("say check or release");
  process.exitCode = await verb();
}
