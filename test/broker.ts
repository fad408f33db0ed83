// A real nats-server on a free port of its own, for tests. It knows nothing of Railyard's subjects.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./root.js";
import { removeFolder } from "./scratch.js";

// By path: seen from what is built of this file, it lies elsewhere.
const inDeploy = (name: string) => pathToFileURL(join(ROOT, "deploy", name)).href;
const { findNatsServer }: typeof import("../deploy/nats-server.mjs") = await import(
  inDeploy("nats-server.mjs")
);
export const { freePort }: typeof import("../deploy/ports.mjs") = await import(
  inDeploy("ports.mjs")
);

const START_MS = 40_000;

export interface Broker {
  /** `host:port`, the same across restarts. */
  readonly server: string;
  readonly pidFile: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a broker whose configuration is `config` (authorization and includes), plus port and pid.
 */
export async function startBroker(
  config: string,
  place: { readonly dir: string; readonly port: number } | undefined = undefined,
): Promise<Broker> {
  const program = findNatsServer();
  if (!program) throw new Error("nats-server is missing: run node deploy/setup.mjs");
  const home = place?.dir ?? mkdtempSync(join(tmpdir(), "railyard-nats-"));
  const port = place?.port ?? (await freePort());
  const pidFile = join(home, "nats.pid");
  const file = join(home, "nats.conf");
  writeFileSync(file, `listen: "127.0.0.1:${port}"\npid_file: "${pidFile}"\n${config}\n`);
  let child = await launch(program, file, port);
  return {
    server: `127.0.0.1:${port}`,
    pidFile,
    async restart() {
      await end(child);
      child = await launch(program, file, port);
    },
    async stop() {
      await end(child);
      if (!place) await removeFolder(home);
    },
  };
}

async function launch(program: string, file: string, port: number): Promise<ChildProcess> {
  const child = spawn(program, ["-c", file], { stdio: "ignore" });
  const limit = performance.now() + START_MS;
  while (!(await listening(port))) {
    if (hasEnded(child)) throw new Error(`nats-server ended with ${child.exitCode}`);
    if (performance.now() > limit) throw new Error("nats-server did not listen in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

function listening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
