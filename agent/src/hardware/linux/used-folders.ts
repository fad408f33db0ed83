// Tells a folder that was used before from an empty one in its place, as where a file system is not
// mounted: what is missing there would be made anew, and what guests had would seem to be nothing.
// Knows nothing of what the folders hold.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { readIfThere, writeDurably } from "@railyard/lib/durable-file";
import { RailyardError, refuse } from "@railyard/lib/errors";

/** In a folder that is used. */
const MARK = ".railyard";
const LOOK_MS = 10_000;

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
  try {
    if (readIfThere(join(path, MARK)) === undefined) {
      if (readIfThere(memory) !== undefined) throw isAnother(path, memory);
      writeDurably(join(path, MARK), "");
    }
    if (readIfThere(memory) === undefined) writeDurably(memory, "");
  } catch (cause) {
    if (cause instanceof RailyardError) throw cause;
    throw untold(path, cause);
  }
}

/**
 * What looks whether folders that `checkUsed` let pass are still there: one is not once its file
 * system was unmounted. Their server may not answer, so they are looked at aside, by one reader
 * however many wait. Throws `unavailable`, also when it cannot be told; `deadline`.
 */
export function lookStillThere(clock: Clock, paths: readonly string[]): () => Promise<void> {
  const limit = { ms: LOOK_MS, what: `the look at ${paths.join(" and ")}` };
  const look = async () => {
    for (const path of paths) await checkStillThere(path);
  };
  let looking: Promise<void> | undefined;
  return () => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return withDeadline(clock, limit, looking);
  };
}

async function checkStillThere(path: string): Promise<void> {
  try {
    await readFile(join(path, MARK));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw untold(path, cause);
    const text = `${path} is not the folder that is used; is its file system mounted?`;
    throw refuse("unavailable", text);
  }
}

function untold(path: string, cause: unknown): RailyardError {
  const { code } = cause as NodeJS.ErrnoException;
  return refuse("unavailable", `it cannot be told whether ${path} was used: ${code}`, { cause });
}

function isAnother(path: string, memory: string): RailyardError {
  return refuse(
    "unavailable",
    `${path} is not the folder that was used before; is its file system mounted? ` +
      `To begin with an empty one, remove ${memory}`,
  );
}
