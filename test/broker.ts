// A real nats-server on a free port of its own, for tests. It knows nothing of Railyard's subjects.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./root.js";

// By path: seen from what is built of this file, it lies elsewhere.
const search = pathToFileURL(join(ROOT, "deploy", "nats-server.mjs")).href;
const { findNatsServer }: typeof import("../deploy/nats-server.mjs") = await import(search);

const START_MS = 10_000;

export interface Broker {
  /** `host:port`, the same across restarts. */
  readonly server: string;
  readonly pidFile: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
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
      if (!place) rmSync(home, { recursive: true, force: true });
    },
  };
}

async function launch(program: string, file: string, port: number): Promise<ChildProcess> {
  const child = spawn(program, ["-c", file], { stdio: "ignore" });
  const limit = performance.now() + START_MS;
  while (!(await listening(port))) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`);
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
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
