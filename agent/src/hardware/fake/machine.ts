// The directory of one made-up machine: what lies where in it, and files that are replaced whole,
// so that a process killed in the middle leaves the old or the new one. Knows no kernel rule.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { refuse } from "@railyard/lib/errors";

/** What a made-up machine is; kept in `machine.json`. Cables may be changed there while it runs. */
export interface MachineIdentity {
  readonly model: string;
  readonly serial: string;
  /** Leaf switch names by NIC, then by port; empty for a loose cable. */
  readonly cabling: readonly (readonly string[])[];
  /** How often it was started, from 1. */
  readonly boots: number;
}

export interface Machine {
  readonly dir: string;
  /** The machine's file system: `sys`, `proc`. */
  readonly root: string;
}

export function machineIn(dir: string): Machine {
  return { dir, root: join(dir, "root") };
}

/** The identity of the machine in a directory; undefined when none was made there. */
export function readIdentity(machine: Machine): MachineIdentity | undefined {
  return readJson<MachineIdentity>(join(machine.dir, "machine.json"));
}

export function writeIdentity(machine: Machine, identity: MachineIdentity): void {
  writeJson(join(machine.dir, "machine.json"), identity);
}

/** Settings that a NIC keeps for its VFs. */
export function firmwarePath(machine: Machine, pfAddress: string): string {
  return join(machine.dir, "firmware", `${pfAddress}.json`);
}

export function guestsDir(machine: Machine): string {
  return join(machine.dir, "guests");
}

/** Ids of the active partitions, while the made-up Fabric Manager knows of any. */
export function partitionsPath(machine: Machine): string {
  return join(machine.dir, "partitions.json");
}

/** Where the bus links of vanished functions and interfaces wait. */
export function goneDir(machine: Machine): string {
  return join(machine.dir, "gone");
}

/** Reads a JSON file; undefined when absent, throws `unavailable` when it is not JSON. */
export function readJson<T>(path: string): T | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw refuse("unavailable", `file ${path} of the made-up machine is not readable`, { cause });
  }
}

/** Replaces a JSON file whole; makes its directory. */
export function writeJson(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.draft`;
  writeFileSync(draft, JSON.stringify(value, undefined, 1));
  renameSync(draft, path);
}
