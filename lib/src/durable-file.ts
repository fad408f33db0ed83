// Small files that must survive a crash whole: written beside their place, synced, then renamed
// into it. Knows nothing of what they hold.
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
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

/**
 * A file that others may spoil: what it holds is read again only when its inode, size or time of
 * change is another. A foreign write of the same size in the same tick of the file system's clock
 * as the last reading, or while ours is brought to disk, is missed.
 */
export class KeptFile {
  private known: { readonly text: string; readonly mark: string } | undefined;

  constructor(private readonly path: string) {}

  /** Whether the file is there with exactly this text. Other failures are thrown. */
  holds(text: string): boolean {
    const mark = markOf(this.path)?.mark;
    if (mark === undefined) return false;
    if (this.known?.mark === mark) return this.known.text === text;
    const isSame = readIfThere(this.path) === text;
    this.known = isSame ? { text, mark } : undefined;
    return isSame;
  }

  /** As `writeDurably`. */
  write(text: string): void {
    this.known = undefined;
    writeDurably(this.path, text);
    // Others may have been at it since it was renamed.
    const found = markOf(this.path);
    if (found?.size === Buffer.byteLength(text)) this.known = { text, mark: found.mark };
  }
}

/** Another one for every file and every change of it; undefined when there is no such file. */
function markOf(path: string): { readonly mark: string; readonly size: number } | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!found) return undefined;
  const { ino, size, ctimeNs } = found;
  return { mark: `${ino} ${size} ${ctimeNs}`, size: Number(size) };
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
