// Finds the NATS server program that the demo and the tests start on ports of their own. It never
// starts one, and never looks for one that is already running.
import { findProgram, isExecutable } from "./find-program.mjs";

const FOLDERS = ["/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"];

/**
 * The path of nats-server, or undefined when there is none. The environment variable NATS_SERVER
 * overrides the search and then has to name an executable file.
 */
export function findNatsServer() {
  const override = process.env.NATS_SERVER;
  if (override) return isExecutable(override) ? override : undefined;
  return findProgram("nats-server", FOLDERS);
}
