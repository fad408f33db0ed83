// Starts, finds and ends QEMU processes, each its own systemd unit where systemd runs and a process
// of its own session elsewhere, so that guests outlive the agent. A process is told by its own
// command line, and one that has none by the unit, or the note, that it was started with.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Clock, sleep } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { readNames, readText } from "../attributes.js";
import type { Outside } from "../outside.js";
import { notedProcess, noteProcess } from "./noted-process.js";
import { readOwnText } from "./own-files.js";
import { flatPlace, type GuestPlace, isGuestId, pathsOf } from "./place.js";
import { hasEnded, isAlive, lifeOf, type ProcessLife } from "./process-life.js";
import type { GuestNeeds } from "./sandbox.js";
import {
  endUnit,
  forgetUnit,
  hasSystemd,
  killedBy,
  startUnit,
  unitFailure,
  unitName,
} from "./units.js";

export const QEMU = "/usr/bin/qemu-system-x86_64";
/** Of util-linux; see `commandOf`. */
const SETPRIV = "/usr/bin/setpriv";
/** Likewise. */
const TASKSET = "/usr/bin/taskset";
const PROC = "/proc";
/** In `/proc/PID/comm` of a QEMU: as much of its program's name as the kernel keeps. */
const QEMU_NAME = "qemu-system-x86";
const POLL_MS = 50;
/** Looking up an account's groups may take a while where they are not in a file. */
const EXEC_MS = 10_000;
const COMPLAINT_LENGTH_MAX = 300;
/** Nothing keeps a killed QEMU but memory that devices reach, given back page by page. */
const KILLED_MS = 30_000;

/** Who a guest's process runs as. */
export interface GuestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface GuestProcess extends ProcessLife {
  /** The account that it runs under, as the kernel tells it. */
  readonly uid: number;
  /** Where its files are, by its own words; see `flatPlace`. */
  readonly place: GuestPlace;
  /** Everything after the program's name. */
  readonly args: readonly string[];
}

export interface Launch {
  readonly outside: Outside;
  readonly clock: Clock;
  readonly needs: GuestNeeds;
  readonly args: readonly string[];
}

/**
 * Begins a QEMU and does not wait for it to be ready. Throws `unavailable`, also while an earlier
 * one of the guest has not ended.
 */
export async function launch(one: Launch): Promise<void> {
  const { outside, needs, args } = one;
  const { place } = needs;
  if (notedProcess(place)) {
    throw refuse("unavailable", `an earlier qemu of guest ${place.instanceId} has not ended yet`);
  }
  // Old words are none of this start, and of a QEMU that was killed the pid file is left, which may
  // be of an account that guests had then.
  const { complaints, failure, stopping, pid, process: note } = place;
  for (const path of [complaints, failure, stopping, pid, note]) rmSync(path, { force: true });
  if (!hasSystemd(outside.root)) return detach(one);
  await forgetUnit(outside, place.instanceId);
  await startUnit(outside, needs, [QEMU, ...args]);
}

/**
 * How a guest's process that is gone failed; undefined when it ended well or was told to stop, or
 * when nobody knows: of a process without a unit only the agent that started it does.
 */
export async function failureOf(outside: Outside, place: GuestPlace): Promise<string | undefined> {
  // A stop that did not get to its end may have killed it.
  if (existsSync(place.stopping)) return undefined;
  if (!hasSystemd(outside.root)) return readOwnText(place.failure);
  // A machine that does not tell has the guest started again all the same.
  return unitFailure(outside, place.instanceId).catch(() => undefined);
}

/**
 * Leaves nothing of a guest beside its directory: whatever of it still runs ends. Throws
 * `unavailable`.
 */
export async function forget(outside: Outside, clock: Clock, place: GuestPlace): Promise<void> {
  if (hasSystemd(outside.root)) await endUnit(outside, place.instanceId);
  const left = notedProcess(place);
  if (left) await end(clock, left, place.instanceId);
}

/** Kills a process. Throws `unavailable` when it does not end. */
export async function end(clock: Clock, life: ProcessLife, instanceId: string): Promise<void> {
  try {
    if (isAlive(life)) process.kill(life.pid, "SIGKILL");
  } catch {
    // Gone by itself meanwhile, or not to be killed: what counts is whether it ends.
  }
  if (await hasEnded(clock, life, KILLED_MS)) return;
  throw refuse("unavailable", `qemu of guest ${instanceId} does not end`);
}

/** The QEMUs whose files lie below `guestsDir`, by instance id. */
export function findGuests(guestsDir: string): ReadonlyMap<string, GuestProcess> {
  const found = new Map<string, GuestProcess>();
  for (const name of readNames(PROC)) {
    if (!/^\d+$/.test(name)) continue;
    const guest = readGuest(Number(name), guestsDir);
    if (guest) found.set(guest.place.instanceId, guest);
  }
  return found;
}

/** The last thing that a QEMU complained about. */
export function lastComplaint(place: GuestPlace): string {
  const line = readOwnText(place.complaints)?.split("\n").at(-1) ?? "";
  return line.slice(0, COMPLAINT_LENGTH_MAX) || "it ended without a word";
}

async function detach({ needs, args, clock }: Launch): Promise<void> {
  const { place } = needs;
  const complaints = openSync(place.complaints, "ax", 0o600);
  try {
    const child = await spawned(commandOf(needs, args), {
      detached: true,
      cwd: "/",
      env: { LC_ALL: "C" },
      stdio: ["ignore", "ignore", complaints],
    });
    child.once("exit", (code, signal) => {
      if (signal !== null) noteFailure(place, killedBy(signal));
      else if (code !== 0) noteFailure(place, `qemu exited with ${code}`);
    });
    child.unref();
    noted(place, child);
    await untilQemu(clock, child);
  } finally {
    closeSync(complaints);
  }
}

/** A guest of which it cannot be written down which process it is does not begin to run. */
function noted(place: GuestPlace, child: ChildProcess): void {
  try {
    noteProcess(place, child.pid ?? 0);
  } catch (thrown) {
    child.kill("SIGKILL");
    throw thrown;
  }
}

/**
 * Program and arguments of a process that is no unit: taskset(1) binds it to processors, setpriv(1)
 * gives it its account, with the account's supplementary groups, that of /dev/kvm for one: Node's
 * `spawn` sets none. Each becomes the next one, and the last QEMU. Accounts are numbers here; no
 * name reaches a command line.
 */
export function commandOf(
  { user, processors }: Pick<GuestNeeds, "user" | "processors">,
  args: readonly string[],
): readonly [string, ...string[]] {
  const [program, ...rest] = asUser(user, args);
  if (processors === undefined) return [program, ...rest];
  return [TASKSET, "--cpu-list", processors, program, ...rest];
}

function asUser(
  user: GuestUser | undefined,
  args: readonly string[],
): readonly [string, ...string[]] {
  if (!user) return [QEMU, ...args];
  const account = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups"];
  return [SETPRIV, ...account, "--inh-caps=-all", "--no-new-privs", "--", QEMU, ...args];
}

function spawned(
  [program, ...args]: readonly [string, ...string[]],
  options: SpawnOptions,
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) =>
      reject(refuse("unavailable", `${program} cannot be started: ${cause.code}`, { cause }));
    try {
      const child = spawn(program, args, options);
      child.once("spawn", () => resolve(child));
      child.once("error", fail);
    } catch (thrown) {
      // Some refusals of the kernel are thrown at once.
      fail(thrown as NodeJS.ErrnoException);
    }
  });
}

/** Until the process is QEMU and nothing before it any more, or is gone. */
async function untilQemu(clock: Clock, child: ChildProcess): Promise<void> {
  const end = clock.monotonic() + EXEC_MS;
  const isGone = () => child.exitCode !== null || child.signalCode !== null;
  while (!isGone() && commandLineOf(child.pid ?? 0)[0] !== QEMU) {
    if (clock.monotonic() >= end) throw refuse("unavailable", "qemu does not start");
    await sleep(clock, POLL_MS);
  }
}

function noteFailure(place: GuestPlace, words: string): void {
  // Nor may a file come to be in a folder that is about to be removed.
  if (existsSync(place.stopping)) return;
  try {
    writeFileSync(place.failure, words, { mode: 0o600 });
  } catch {
    // Its directory is gone: it was stopped, and nobody will ask.
  }
}

function readGuest(pid: number, guestsDir: string): GuestProcess | undefined {
  // A command line is told by the process's memory, for which the kernel may wait: others than
  // QEMUs are not asked.
  if (readText(join(PROC, String(pid), "comm")) !== QEMU_NAME) return undefined;
  const [program, ...args] = commandLineOf(pid);
  if (program !== QEMU) return undefined;
  const pidFile = args[args.indexOf("-pidfile") + 1] ?? "";
  const instanceId = args[args.indexOf("-name") + 1] ?? "";
  if (!isGuestId(instanceId)) return undefined;
  const boxed = pathsOf(guestsDir, instanceId);
  const place = [boxed, flatPlace(boxed)].find((one) => one.pid === pidFile);
  if (!place) return undefined;
  // Anybody may write such a command line; only QEMU is QEMU, and in a guest's unit that guest.
  const groups = readText(join(PROC, String(pid), "cgroup")) ?? "";
  const isOwn = isUnitsOwn(groups, instanceId);
  if (!isOwn && (isGuestsUnit(groups) || !isQemu(pid))) return undefined;
  const uid = accountOf(pid);
  const life = lifeOf(pid);
  return uid === undefined || !life ? undefined : { ...life, place, uid, args };
}

/** Undefined for a process that is gone. */
function accountOf(pid: number): number | undefined {
  const status = readText(join(PROC, String(pid), "status")) ?? "";
  const uid = /^Uid:\t(\d+)/m.exec(status)?.[1];
  return uid === undefined ? undefined : Number(uid);
}

/** Empty for a process that is gone, or dead and not yet waited for. */
function commandLineOf(pid: number): readonly string[] {
  const text = readText(join(PROC, String(pid), "cmdline")) ?? "";
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

/**
 * Whether a process with these control groups (`/proc/PID/cgroup`, cgroups(7)) is the guest's unit;
 * the program of another account's process is not for an agent with few capabilities to see. Every
 * account has units of any name, too, in slices of its own.
 */
export function isUnitsOwn(groups: string, instanceId: string): boolean {
  const own = `:/system.slice/${unitName(instanceId)}`;
  return groups.split("\n").some((line) => line.endsWith(own));
}

/** Whether it is some guest's unit. */
export function isGuestsUnit(groups: string): boolean {
  return groups.split("\n").some((line) => /:\/system\.slice\/railyard-guest-[^/]+$/.test(line));
}

function isQemu(pid: number): boolean {
  try {
    const program = readlinkSync(join(PROC, String(pid), "exe"));
    return program.replace(/ \(deleted\)$/, "") === realpathSync(QEMU);
  } catch {
    // Gone, or not ours to look at: then it is none of the agent's guests either.
    return false;
  }
}
