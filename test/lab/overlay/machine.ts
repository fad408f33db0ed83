// Linux as a process of this machine, over this machine's own root file system, read-only. It runs
// scripts as its root, and a QEMU without a machine is its way out. It knows no agent.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "../../until.js";
import type { Cable } from "../hypervisor.js";
import { cableBetween } from "../leaf.js";
import { output } from "../program.js";
import { ScriptFolder } from "../script-folder.js";
import type { MachineImage } from "./machine-image.js";

/** The first process: a shell script, which is told the path of the share. */
const INIT = [join(import.meta.dirname, "scripts", "machine-init.sh")];
const QEMU = "/usr/bin/qemu-system-x86_64";
const TASKSET = "/usr/bin/taskset";
const MEMORY_FILES = "/dev/shm";
const BOOT_MS = 60_000;
const SHOWN = 300;
const MAC = "52:54:00:ff:00:09";
/** The interface that leads out; 10.0.2.0/24 is there. */
export const WAY_OUT = "eth0";

export interface MachineOptions {
  readonly image: MachineImage;
  readonly memoryMib: number;
  /** Of this machine; holds the share and the log of the console. */
  readonly folder: string;
  /** Port of this machine that 10.0.2.100:4222 leads to. */
  readonly broker: number;
  /** Another script for its first process, and what it is told after the share. */
  readonly init?: readonly string[];
}

/** Why a machine of so much memory cannot be run; undefined when it can. */
export function lacksMemory(memoryMib: number): string | undefined {
  const { bavail, bsize } = statfsSync(MEMORY_FILES);
  const freeMib = Math.floor((bavail * bsize) / 1024 ** 2);
  if (freeMib >= memoryMib) return undefined;
  return `needs ${memoryMib} MiB of ${MEMORY_FILES}, of which ${freeMib} are free`;
}

/** Why this machine cannot run another Linux as a process; undefined when it can. */
export async function refusesLinux(linux: string): Promise<string | undefined> {
  const off = ["init=/usr/bin/busybox", "--", "poweroff", "-f"];
  const args = [...linuxBasics(64, tmpdir()), "con=null", "con0=null,fd:1", ...off];
  try {
    await output(linux, args, { limitMs: BOOT_MS });
    return undefined;
  } catch (thrown) {
    return `user-mode Linux does not run here: ${String(thrown).slice(-SHOWN)}`;
  }
}

export class Machine {
  private constructor(
    private readonly scripts: ScriptFolder,
    private readonly processes: readonly ChildProcess[],
  ) {}

  /** Boots one; it comes up within seconds. */
  static async boot(options: MachineOptions): Promise<Machine> {
    const { image, folder, broker } = options;
    const share = join(folder, "share");
    mkdirSync(share, { recursive: true });
    writeFileSync(join(share, "modules"), `${image.modules.join("\n")}\n`);
    const [near, far] = await cableBetween();
    const wayOut = start(QEMU, wayOutArguments(far, broker));
    const linux = start(TASKSET, onOneProcessor(image.linux, linuxArguments(options, share, near)));
    const scripts = new ScriptFolder(share, (number) => linux.stdin?.write(`${number}\n`));
    const machine = new Machine(scripts, [linux, wayOut]);
    try {
      await untilReady(linux, join(folder, "console.log"));
    } catch (cause) {
      await machine.stop();
      throw cause;
    }
    return machine;
  }

  /** Folder that both sides can write; `/run/lab` inside. */
  get share(): string {
    return this.scripts.path;
  }

  /** What a shell script printed inside; throws with it when the script failed. */
  ask(script: string, limitMs?: number): Promise<string> {
    return this.scripts.ask(script, limitMs);
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map(end));
  }
}

function linuxArguments(options: MachineOptions, share: string, cable: Cable): readonly string[] {
  const state = join(options.folder, "state");
  mkdirSync(state, { recursive: true });
  const { nicPort, farPort } = cable;
  const [script = "", ...told] = options.init ?? INIT;
  return [
    ...linuxBasics(options.memoryMib, state),
    ...["con=null", "con0=fd:0,fd:1", "ssl=null"],
    `${WAY_OUT}=ucast,${MAC},127.0.0.1,${nicPort},${farPort}`,
    ...["init=/bin/sh", "--", script, share, ...told],
  ];
}

/**
 * At every system call and every page fault its kernel and its processes, traced ones, hand over to
 * each other: on one processor that takes half the time.
 */
function onOneProcessor(program: string, args: readonly string[]): readonly string[] {
  const status = readFileSync("/proc/self/status", "utf8");
  const last = /^Cpus_allowed_list:.*?(\d+)$/m.exec(status)?.[1] ?? "0";
  return ["--cpu-list", last, program, ...args];
}

function linuxBasics(memoryMib: number, state: string): readonly string[] {
  const root = ["rootfstype=hostfs", "rootflags=/", "ro"];
  return [`mem=${memoryMib}M`, `uml_dir=${state}`, "quiet", ...root];
}

/** A QEMU that only joins the cable and its own user-mode network. */
function wayOutArguments({ nicPort, farPort }: Cable, broker: number): readonly string[] {
  const end = (name: string, port: number) =>
    `${name}.type=inet,${name}.host=127.0.0.1,${name}.port=${port}`;
  const forward = `guestfwd=tcp:10.0.2.100:4222-cmd:/usr/bin/busybox nc 127.0.0.1 ${broker}`;
  return [
    ...["-machine", "none", "-nodefaults", "-no-user-config", "-display", "none"],
    ...["-netdev", `dgram,id=cable,${end("local", nicPort)},${end("remote", farPort)}`],
    ...["-netdev", `user,id=out,restrict=on,${forward}`],
    ...["-netdev", "hubport,id=port0,hubid=0,netdev=cable"],
    ...["-netdev", "hubport,id=port1,hubid=0,netdev=out"],
  ];
}

/** A process whose own processes go with it, and with this one. */
function start(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    // User-mode Linux keeps its memory in a file.
    env: { ...process.env, TMPDIR: MEMORY_FILES },
    detached: true,
  });
  const onExit = () => endGroup(child);
  process.once("exit", onExit);
  child.once("exit", () => {
    process.off("exit", onExit);
    endGroup(child);
  });
  // A process that cannot be started or that is gone shows in what does not come.
  child.on("error", () => undefined);
  child.stdin?.on("error", () => undefined);
  child.stderr?.resume();
  return child;
}

async function untilReady(linux: ChildProcess, log: string): Promise<void> {
  const file = createWriteStream(log, { flags: "a" });
  let ready = false;
  if (!linux.stdout) throw new Error("a machine without a console");
  createInterface({ input: linux.stdout }).on("line", (line) => {
    file.write(`${line}\n`);
    ready ||= line.startsWith("LAB-READY");
  });
  const over = () => linux.exitCode ?? linux.signalCode;
  await until("the machine is up", () => ready || over() !== null, BOOT_MS);
  if (!ready) throw new Error(`the machine ended (${over()}), see ${log}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  endGroup(child);
  await gone;
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All gone.
  }
}
