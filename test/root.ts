// Where the repository is, seen from the sources and from what is built of them. Knows no more.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. Tests run from the sources, the bench and the lab from `dist`. */
export const ROOT = above(dirname(fileURLToPath(import.meta.url)));

function above(folder: string): string {
  if (existsSync(join(folder, "package-lock.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("the repository's package-lock.json is not there");
  return above(parent);
}
