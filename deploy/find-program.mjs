// Finds programs on this machine without starting them. It knows nothing of what they are for.
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of the first executable called `name` on PATH or in `folders`, or undefined. */
export function findProgram(name, folders = []) {
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...path, ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

/** True when `file` is a regular file that this user may run. */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Absent or not allowed: either way it cannot be run.
    return false;
  }
}
