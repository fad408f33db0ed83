// A simulated InfiniBand fabric under a real OpenSM: one leaf switch, the subnet manager's port and
// ports that stand for virtual functions, whose cables are out until told otherwise. Lab only.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SubnetManager } from "@railyard/agent/hardware/fabric";
import { createOpenSm } from "@railyard/agent/hardware/linux/opensm";
import { systemOutside } from "@railyard/agent/hardware/linux/outside";
import { systemClock } from "@railyard/lib/clock";
import { guidFrom, guidNumber } from "@railyard/lib/guid";
import { removeFolder } from "../../scratch.js";
import { until } from "../../until.js";

export const PROGRAMS = {
  ibsim: "/usr/bin/ibsim",
  opensm: "/usr/sbin/opensm",
  ibnetdiscover: "/usr/sbin/ibnetdiscover",
  smpquery: "/usr/sbin/smpquery",
} as const;
/** Stands in for the kernel's InfiniBand: what loads it is on the simulated fabric. */
const UMAD = "/usr/lib/x86_64-linux-gnu/umad2sim/libumad2sim.so";
const UP_MS = 30_000;
const STOP_MS = 3_000;
const TOOL_MS = 10_000;

interface Parts {
  readonly dir: string;
  readonly ports: number;
  readonly simulator: ChildProcess;
  readonly manager: ChildProcess;
  /** Puts a tool on the fabric. */
  readonly env: Readonly<Record<string, string>>;
}

export class SimulatedFabric {
  private plugged = 0;

  private constructor(private readonly parts: Parts) {}

  static async start(ports: number): Promise<SimulatedFabric> {
    const dir = mkdtempSync(join(tmpdir(), "railyard-ib-"));
    writeFileSync(join(dir, "net"), netFile(ports));
    writeFileSync(join(dir, "partitions.conf"), "Default=0x7fff : ALL=limited, SELF=full ;\n");
    // The name of its sockets: other simulated fabrics on this machine stay apart.
    const env = { ...socketsIn(dir), LD_PRELOAD: UMAD, SIM_HOST: "Sm" };
    const options = { cwd: dir, env: { ...process.env, ...socketsIn(dir) } };
    const simulator = spawn(PROGRAMS.ibsim, ["-s", "net"], {
      ...options,
      stdio: ["pipe", "pipe", "ignore"],
    });
    await shows(simulator, "simulator ready");
    for (let port = 0; port < ports; port++) simulator.stdin?.write(`Unlink "Vf${port}"[1]\n`);
    // -d2: it writes its log at once.
    const files = ["-P", join(dir, "partitions.conf"), "-f", join(dir, "opensm.log"), "-e", "-d2"];
    const own = { OSM_TMP_DIR: dir, OSM_CACHE_DIR: dir };
    const manager = spawn(PROGRAMS.opensm, files, {
      ...{ cwd: dir, stdio: "ignore" },
      env: { ...process.env, ...env, ...own },
    });
    writeFileSync(join(dir, "opensm.pid"), `${manager.pid}\n`);
    const fabric = new SimulatedFabric({ dir, ports, simulator, manager, env });
    try {
      const isUp = async () => logOf(dir).includes("SUBNET UP");
      await until("the subnet is up", isUp, UP_MS);
      return fabric;
    } catch (thrown) {
      await fabric.stop();
      throw thrown;
    }
  }

  /** The agent's production code above the real tools. */
  subnetManager(): SubnetManager {
    return createOpenSm({
      outside: systemOutside(systemClock(), "/", this.parts.env),
      hangUp: (pid) => void process.kill(pid, "SIGHUP"),
      partitionsFile: join(this.parts.dir, "partitions.conf"),
      pidFile: join(this.parts.dir, "opensm.pid"),
      deadlineMs: TOOL_MS,
    });
  }

  /** A port comes up with this GUID, as a virtual function does once it was given one. */
  plug(guid: string): void {
    if (this.plugged === this.parts.ports) throw new Error("no port is left");
    const name = `"Vf${this.plugged++}"`;
    // A simulated port answers with its adapter's GUID and its own number added.
    const node = guidFrom(guidNumber(guid) - 1n);
    const lines = [`Guid ${name} 0x${node}`, `Guid ${name}[1] 0x${guid}`, `Relink ${name}[1]`];
    this.parts.simulator.stdin?.write(`${lines.join("\n")}\n`);
  }

  /** What was told to OpenSM. */
  partitionFile(): string {
    return readFileSync(join(this.parts.dir, "partitions.conf"), "utf8");
  }

  async stop(): Promise<void> {
    for (const child of [this.parts.manager, this.parts.simulator]) await end(child);
    await removeFolder(this.parts.dir);
  }
}

function socketsIn(dir: string) {
  return { IBSIM_SOCKNAME: dir.replaceAll("/", "") };
}

function netFile(ports: number): string {
  const names = ["Sm", ...Array.from({ length: ports }, (_, port) => `Vf${port}`)];
  const leaf = names.map((name, k) => `[${k + 1}] "${name}"[1]`);
  const adapters = names.map((name, k) => `Hca 1 "${name}"\n[1] "Leaf"[${k + 1}]\n`);
  return [`Switch ${names.length} "Leaf"`, ...leaf, "", ...adapters].join("\n");
}

function logOf(dir: string): string {
  try {
    return readFileSync(join(dir, "opensm.log"), "utf8");
  } catch {
    // OpenSM has not begun yet.
    return "";
  }
}

async function shows(child: ChildProcess, words: string): Promise<void> {
  let said = "";
  child.stdout?.on("data", (data) => {
    said = `${said}${data}`.slice(-10_000);
  });
  await until(words, async () => said.includes(words), UP_MS);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}
