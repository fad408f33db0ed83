// Makes a folder that only its owner may enter, and says plainly when it cannot be had. It must not
// know what the folder is for.
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { invalidField } from "./errors.js";

const OWNER_ONLY = 0o700;

/**
 * Makes `path` with whatever parents are missing; a folder that is there stays as it is. Throws
 * `invalid` naming `setting`, the path and the system's code when it cannot be made or written to.
 */
export function makePrivateFolder(path: string, setting: string): void {
  try {
    make(resolve(path));
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? "unknown error";
    throw invalidField(setting, `${path} cannot be used as a folder (${code})`);
  }
}

/** One level at a time: below /proc, Node's own recursive making never ends. */
function make(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  if (dirname(path) !== path) make(dirname(path));
  mkdirSync(path, { mode: OWNER_ONLY });
}
