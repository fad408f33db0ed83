// Tells whether a module was started as a program or imported. It knows nothing else.
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** True when the module at `url` (its import.meta.url) is the program node was started with. */
export function isMain(url) {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(url);
}
