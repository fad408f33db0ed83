// Folders that are costly to build, kept between runs in the user's cache. It knows nothing of what
// is in them.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const DONE = "done";

/**
 * The folder `name` of the cache. Unless an earlier run finished it, `build` fills one under
 * another name, which takes its place once it is whole.
 */
export async function builtOnce(
  name: string,
  build: (fresh: string) => Promise<void>,
): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const folder = join(cache, name);
  if (existsSync(join(folder, DONE))) return folder;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    await build(fresh);
    writeFileSync(join(fresh, DONE), "");
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}
