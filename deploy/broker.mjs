// How a yard runs its NATS server: one port for life, identities from a file that the controller
// writes, core NATS only. Reloads are the controller's business; this file only starts it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { SetupError } from "./machine.mjs";
import { findNatsServer } from "./nats-server.mjs";

/** Where the broker of a yard keeps its own few files. */
export function brokerFiles(dataDir) {
  const folder = join(dataDir, "broker");
  return { folder, config: join(folder, "nats.conf"), pid: join(folder, "nats.pid") };
}

/**
 * Writes the broker's configuration for `port`, including `usersFile`, and answers the process to
 * start. Throws SetupError when there is no nats-server on this machine.
 */
export function brokerProcess({ dataDir, port, usersFile }) {
  const command = findNatsServer();
  if (!command) throw new SetupError("nats-server cannot be found; run: npm run setup");
  const files = brokerFiles(dataDir);
  mkdirSync(files.folder, { recursive: true });
  // An included path is always read as relative to the file that includes it.
  const users = relative(files.folder, usersFile);
  const lines = [
    `host: "127.0.0.1"`,
    `port: ${port}`,
    `pid_file: ${JSON.stringify(files.pid)}`,
    `include ${JSON.stringify(users)}`,
  ];
  writeFileSync(files.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  return { name: "broker", command, args: ["--config", files.config], env: {} };
}
