// Folders that tests write in, taken away when whoever wrote there has ended. It knows no writer.
import { rm } from "node:fs/promises";

/** Together some seconds: what nobody waited for may still put a file into a folder. */
const TRIES_AGAIN = 10;

/** Removes a folder with everything in it, if it is there. */
export function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: TRIES_AGAIN });
}
