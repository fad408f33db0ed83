// Small files that must survive a crash whole: written beside their place, synced, then renamed
// into it. Knows nothing of what they hold.
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/** Permissions of files that hold secrets. */
export const OWNER_ONLY = 0o600;

/**
 * Replaces the file; when this returns, the new content is on disk. A reader sees the old content
 * or the new, never a mixture. One writer per path at a time.
 */
export function writeDurably(path: string, content: string | Uint8Array, mode = OWNER_ONLY): void {
  const fresh = `${path}.new`;
  const file = openSync(fresh, "w", mode);
  try {
    // The mode of `open` counts only for a file that it makes, and is cut by the umask.
    fchmodSync(file, mode);
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
  syncFolder(dirname(path));
}

/** The file's text, or undefined when there is none. Other failures are thrown. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (err) {
    if (err instanceof Error && "code" in err && err.code === "ENOENT") return undefined;
    throw err;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
