// The door between the agent and the machine: files below a root, attribute writes, outside tools.
// Holds the contract and the one over the machine itself; it must not know what any path or
// argument means.
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@railyard/lib/clock";
import { asRailyardError, type RailyardError, refuse } from "@railyard/lib/errors";
import { Overdue, Places } from "./overdue.js";

/** The outside tools that the agent may run. */
export type Tool =
  | "bridge"
  | "fmpm"
  | "genisoimage"
  | "ibnetdiscover"
  | "ip"
  | "lldpcli"
  | "smpquery"
  | "qemu-img"
  | "systemctl"
  | "systemd-run"
  | "tc";

export interface Outside {
  /** All paths are below it; `/` on a real machine. Kernel attributes are read from there. */
  readonly root: string;
  /**
   * Writes one kernel attribute that exists. `path` begins with `/` and is below the root. Errors:
   * `unavailable` when the kernel refuses, `deadline` when it does not answer.
   */
  write(path: string, value: string, deadlineMs: number): Promise<void>;
  /**
   * Runs a tool without a shell and returns its standard output. Errors: `unavailable` when it is
   * missing (see `isMissingTool`) or fails, `deadline` when it does not end; it is killed then.
   */
  exec(tool: Tool, args: readonly string[], deadlineMs: number): Promise<string>;
}

const TOOL_PATHS: Readonly<Record<Tool, readonly string[]>> = {
  ip: ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"],
  bridge: ["/usr/sbin/bridge", "/sbin/bridge", "/usr/bin/bridge"],
  fmpm: ["/usr/bin/fmpm", "/usr/local/bin/fmpm", "/usr/sbin/fmpm"],
  genisoimage: ["/usr/bin/genisoimage"],
  "qemu-img": ["/usr/bin/qemu-img"],
  systemctl: ["/usr/bin/systemctl", "/bin/systemctl"],
  "systemd-run": ["/usr/bin/systemd-run", "/bin/systemd-run"],
  tc: ["/usr/sbin/tc", "/sbin/tc", "/usr/bin/tc"],
  lldpcli: ["/usr/sbin/lldpcli", "/usr/bin/lldpcli", "/sbin/lldpcli"],
  ibnetdiscover: ["/usr/sbin/ibnetdiscover", "/usr/bin/ibnetdiscover"],
  smpquery: ["/usr/sbin/smpquery", "/usr/bin/smpquery"],
};
/**
 * Attribute writes at a time: each has a thread of Node's for as long as the kernel does not
 * answer. Of its four one is for what is read aside (facts.ts, used-folders.ts), and one is left to
 * everything else, the ledger above all.
 */
const WRITES_MAX = 2;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const MESSAGE_LENGTH_MAX = 200;
const LINE_LENGTH_MAX = 300;

/**
 * The machine itself, or a directory that looks like one. `env`: what tools get beside their
 * locale.
 */
export function systemOutside(
  clock: Clock,
  root = "/",
  env: Readonly<Record<string, string>> = {},
): Outside {
  const overdue = new Overdue(clock);
  const writers = new Places(WRITES_MAX);
  return {
    root,
    async write(path, value, deadlineMs) {
      const ended = new AbortController();
      const limit = { ms: deadlineMs, what: `write of ${JSON.stringify(value)} to ${path}` };
      const write = () => writeAttribute(join(root, path), value);
      try {
        await overdue.within(limit, () => writers.have(ended.signal, write));
      } finally {
        ended.abort();
      }
    },
    async exec(tool, args, deadlineMs) {
      const ended = new AbortController();
      const limit = { ms: deadlineMs, what: commandLine(tool, args) };
      try {
        return await overdue.within(limit, () => run(tool, args, { signal: ended.signal, env }));
      } finally {
        ended.abort();
      }
    },
  };
}

/** The beginning of the command as one line, for messages: a guest's has tens of thousands. */
export function commandLine(tool: Tool, args: readonly string[]): string {
  const line = [tool, ...args].join(" ");
  return line.length > LINE_LENGTH_MAX ? `${line.slice(0, LINE_LENGTH_MAX)}…` : line;
}

/** What a tool that ended badly is reported as; `complaint` is what it said. */
export function toolFailed(tool: Tool, args: readonly string[], complaint: string): RailyardError {
  const line = complaint.trim().split("\n")[0] || "failed without a word";
  const said = line.slice(0, MESSAGE_LENGTH_MAX);
  return refuse("unavailable", `${commandLine(tool, args)}: ${said}`);
}

/** What the use of a tool that this machine does not have is reported as. */
export function missingTool(tool: Tool): RailyardError {
  const detail = { missing: tool };
  return refuse("unavailable", `tool ${tool} is not installed`, { detail });
}

/** Whether something failed because that tool is not installed: trying again will not help. */
export function isMissingTool(thrown: unknown, tool: Tool): boolean {
  return asRailyardError(thrown).parts.detail?.missing === tool;
}

/** What a refused attribute write is reported as; `errno` is the error's name, e.g. `EBUSY`. */
export function writeRefused(path: string, errno: string, cause?: unknown): RailyardError {
  return refuse("unavailable", `write to ${path} was refused: ${errno}`, {
    detail: { path, errno },
    cause,
  });
}

async function writeAttribute(path: string, value: string): Promise<void> {
  try {
    // Neither made, as an attribute that does not exist is an error, nor opened for reading: sysfs
    // refuses that to root too where an attribute is write-only, as `bind` and `reset` are.
    await using file = await open(path, constants.O_WRONLY);
    await file.write(value, 0);
  } catch (err) {
    throw writeRefused(path, errnoOf(err), err);
  }
}

/** Ends when the process does: one that was killed may still be in the kernel. */
function run(
  tool: Tool,
  args: readonly string[],
  { signal, env }: { readonly signal: AbortSignal; readonly env: Readonly<Record<string, string>> },
): Promise<string> {
  const path = TOOL_PATHS[tool].find(isExecutable);
  if (path === undefined) {
    return Promise.reject(missingTool(tool));
  }
  const options = {
    signal,
    killSignal: "SIGKILL" as const,
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...env, LC_ALL: "C" },
  };
  return new Promise((resolve, reject) => {
    const child = execFile(path, args, options, (err, stdout, stderr) => {
      const settle = () => {
        if (err) reject(toolFailed(tool, args, stderr || stdout || err.message));
        else resolve(stdout);
      };
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || child.pid === undefined) settle();
      else child.once("exit", settle);
    });
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Absent or not ours to run: the next place is tried.
    return false;
  }
}

function errnoOf(err: unknown): string {
  return err instanceof Error && "code" in err ? String(err.code) : "EIO";
}
