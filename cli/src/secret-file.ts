// Writes a secret to a file that only its owner can read, whole or not at all. It knows nothing of
// what is in it.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { invalidField, refuse } from "@railyard/lib/errors";
import type { Rng } from "@railyard/lib/rng";

export interface SecretFile {
  readonly path: string;
  /** Replace a file that is there. */
  readonly force: boolean;
  readonly rng: Rng;
}

/**
 * Makes sure that the file can be written, then asks for its content, then puts it in place.
 * Throws `exists` when it is there and `force` is false; then `content` was not asked for, unless
 * the file appeared meanwhile.
 */
export async function writeSecretFile(
  { path, force, rng }: SecretFile,
  content: () => Promise<string>,
): Promise<void> {
  if (!force && existsSync(path)) throw taken(path);
  checkWritable(path);
  const text = await content();
  // Nothing is waited for from here on, so that Ctrl-C leaves no half-made file.
  const suffix = Buffer.from(rng.bytes(6)).toString("hex");
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}`);
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
    putInPlace(temporary, path, force);
  } finally {
    closeSync(file);
    if (existsSync(temporary)) unlinkSync(temporary);
  }
}

function checkWritable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw invalidField("--out", `cannot write ${path} (${code})`);
  }
}

// A link never replaces a file that appeared since it was looked for; a rename always does.
function putInPlace(temporary: string, path: string, force: boolean): void {
  if (force) {
    renameSync(temporary, path);
    return;
  }
  try {
    linkSync(temporary, path);
  } catch (cause) {
    throw taken(path, cause);
  }
}

function taken(path: string, cause?: unknown) {
  return refuse("exists", `${path} exists: give --force to replace it`, { cause });
}
