// Whether a process is still there, by what the kernel tells of it. A process that ends loses its
// command line long before its files: only once it is dead are its devices and disks free. It must
// not know what the process is for.
import { join } from "node:path";
import { type Clock, sleep } from "@railyard/lib/clock";
import { readText } from "../attributes.js";

const PROC = "/proc";
const POLL_MS = 50;

// Fields of `/proc/PID/stat` after the program's name, which may hold anything: proc_pid_stat(5).
const STATE = 0;
const THREADS = 17;
const BEGUN = 19;

/** One process, which a later one with its number is not. */
export interface ProcessLife {
  readonly pid: number;
  /** When it began, in ticks since the machine started. */
  readonly begun: string;
}

/** Undefined when there is no such process. */
export function lifeOf(pid: number, proc = PROC): ProcessLife | undefined {
  const begun = statOf(pid, proc)?.[BEGUN];
  return begun === undefined ? undefined : { pid, begun };
}

/** Whether it holds anything yet: one that waits for its parent to note its end does not. */
export function isAlive({ pid, begun }: ProcessLife, proc = PROC): boolean {
  const stat = statOf(pid, proc);
  if (stat === undefined || stat[BEGUN] !== begun) return false;
  // The first thread of a process may be dead while others still hold its files.
  return !["Z", "X"].includes(stat[STATE] ?? "") || Number(stat[THREADS]) > 1;
}

/** Whether the process ended within `ms` milliseconds. */
export async function hasEnded(clock: Clock, life: ProcessLife, ms: number): Promise<boolean> {
  const end = clock.monotonic() + ms;
  while (isAlive(life)) {
    if (clock.monotonic() >= end) return false;
    await sleep(clock, POLL_MS);
  }
  return true;
}

function statOf(pid: number, proc: string): readonly string[] | undefined {
  const text = readText(join(proc, String(pid), "stat"));
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}
