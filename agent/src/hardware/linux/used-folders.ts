// Tells a folder that was used before from an empty one in its place, as where a file system is not
// mounted: what is missing there would be made anew, and what guests had would seem to be nothing.
// Knows nothing of what the folders hold.
import { join } from "node:path";
import { readIfThere, writeDurably } from "@railyard/lib/durable-file";
import { RailyardError, refuse } from "@railyard/lib/errors";

/** In a folder that is used. */
const MARK = ".railyard";

/**
 * Marks a folder when it is first used and remembers that in the data directory, by the folder's
 * name there. Throws `unavailable` when a folder that was used has no mark, or when that cannot be
 * told or written down.
 */
export function checkUsed(
  dataDir: string,
  { name, path }: { readonly name: string; readonly path: string },
): void {
  const memory = join(dataDir, `${name}.used`);
  told(path, () => {
    if (readIfThere(join(path, MARK)) === undefined) {
      if (readIfThere(memory) !== undefined) throw isAnother(path, memory);
      writeDurably(join(path, MARK), "");
    }
    if (readIfThere(memory) === undefined) writeDurably(memory, "");
  });
}

/**
 * Throws `unavailable` when a folder that `checkUsed` let pass is not there any more, as once its
 * file system was unmounted, or when that cannot be told.
 */
export function checkStillThere(path: string): void {
  if (told(path, () => readIfThere(join(path, MARK))) !== undefined) return;
  throw refuse(
    "unavailable",
    `${path} is not the folder that is used; is its file system mounted?`,
  );
}

function told<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (cause) {
    if (cause instanceof RailyardError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw refuse("unavailable", `it cannot be told whether ${path} was used: ${code}`, { cause });
  }
}

function isAnother(path: string, memory: string): RailyardError {
  return refuse(
    "unavailable",
    `${path} is not the folder that was used before; is its file system mounted? ` +
      `To begin with an empty one, remove ${memory}`,
  );
}
