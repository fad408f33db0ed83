// Starts, finds and ends QEMU processes, each its own systemd unit where systemd runs and a process
// of its own session elsewhere, so that guests outlive the agent. A process is told by its own
// command line, never by a number that was written down.
import { spawn } from "node:child_process";
import { closeSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Clock, sleep } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { readNames, readText } from "../attributes.js";
import type { Outside } from "../outside.js";
import type { GuestPlace } from "./place.js";

export const QEMU = "/usr/bin/qemu-system-x86_64";
const PROC = "/proc";
const TOOL_DEADLINE_MS = 20_000;
const POLL_MS = 50;
const COMPLAINT_LENGTH_MAX = 300;

/** Who a guest's process runs as. */
export interface GuestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface GuestProcess {
  readonly pid: number;
  /** Everything after the program's name. */
  readonly args: readonly string[];
}

export interface Launch {
  readonly outside: Outside;
  readonly place: GuestPlace;
  readonly args: readonly string[];
  /** Undefined: the agent's own. */
  readonly user: GuestUser | undefined;
}

/** The unit that one guest is, where systemd runs. */
function unitName(instanceId: string): string {
  return `railyard-guest-${instanceId}`;
}

/** Begins a QEMU and does not wait for it to be ready. Throws `unavailable`. */
export async function launch({ outside, place, args, user }: Launch): Promise<void> {
  if (hasSystemd(outside.root)) {
    await outside.exec("systemd-run", unitArguments(place, args, user), TOOL_DEADLINE_MS);
  } else {
    await detach(place, args, user);
  }
}

/** The QEMUs whose files lie below `guestsDir`, by instance id. */
export function findGuests(guestsDir: string): ReadonlyMap<string, GuestProcess> {
  const found = new Map<string, GuestProcess>();
  for (const name of readNames(PROC)) {
    if (!/^\d+$/.test(name)) continue;
    const guest = readGuest(Number(name), guestsDir);
    if (guest) found.set(guest.instanceId, guest);
  }
  return found;
}

/** Whether the process is still that guest's. */
export function isAlive({ pid, args }: GuestProcess): boolean {
  return args.length > 0 && commandLineOf(pid).slice(1).join("\0") === args.join("\0");
}

/** Whether the process ended within `ms` milliseconds. */
export async function hasEnded(clock: Clock, guest: GuestProcess, ms: number): Promise<boolean> {
  const end = clock.monotonic() + ms;
  while (isAlive(guest)) {
    if (clock.monotonic() >= end) return false;
    await sleep(clock, POLL_MS);
  }
  return true;
}

/** The last thing that a QEMU complained about. */
export function lastComplaint(place: GuestPlace): string {
  const line = readText(place.complaints)?.split("\n").at(-1) ?? "";
  return line.slice(0, COMPLAINT_LENGTH_MAX) || "it ended without a word";
}

/** `systemd-run`'s arguments for one guest; the unit goes when the guest ends. */
export function unitArguments(
  place: GuestPlace,
  args: readonly string[],
  user: GuestUser | undefined,
): readonly string[] {
  const properties = [
    "Type=exec",
    `StandardError=file:${place.complaints}`,
    ...(user ? [`User=${user.name}`, `Group=${user.gid}`] : []),
    ...HARDENING,
    `ReadWritePaths=${dirname(place.dir)}`,
  ];
  return [
    ...["--quiet", "--collect", "--unit", unitName(place.instanceId)],
    ...properties.flatMap((property) => ["--property", property]),
    ...["--", QEMU, ...args],
  ];
}

/** Sources: systemd.exec(5), systemd.resource-control(5). vfio pins all of a guest's memory. */
const HARDENING = [
  "LimitMEMLOCK=infinity",
  "NoNewPrivileges=yes",
  "ProtectHome=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelLogs=yes",
  "ProtectControlGroups=yes",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "ProtectProc=invisible",
  "PrivateTmp=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "RestrictAddressFamilies=AF_UNIX",
  "SystemCallArchitectures=native",
  "UMask=0077",
];

async function detach(
  place: GuestPlace,
  args: readonly string[],
  user: GuestUser | undefined,
): Promise<void> {
  const complaints = openSync(place.complaints, "w", 0o600);
  try {
    const child = spawn(QEMU, args, {
      detached: true,
      cwd: "/",
      env: { LC_ALL: "C" },
      stdio: ["ignore", "ignore", complaints],
      ...(user && { uid: user.uid, gid: user.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause: NodeJS.ErrnoException) =>
        reject(refuse("unavailable", `${QEMU} cannot be started: ${cause.code}`, { cause })),
      );
    });
    child.unref();
  } finally {
    closeSync(complaints);
  }
}

function hasSystemd(root: string): boolean {
  // What sd_booted(3) looks at.
  return readNames(join(root, "/run/systemd/system")).length > 0;
}

function readGuest(
  pid: number,
  guestsDir: string,
): (GuestProcess & { readonly instanceId: string }) | undefined {
  const [program, ...args] = commandLineOf(pid);
  if (program !== QEMU) return undefined;
  const pidFile = args[args.indexOf("-pidfile") + 1] ?? "";
  const instanceId = args[args.indexOf("-name") + 1] ?? "";
  if (pidFile !== join(guestsDir, instanceId, "pid")) return undefined;
  // Anybody may write such a command line; only QEMU is QEMU.
  return isQemu(pid) ? { instanceId, pid, args } : undefined;
}

/** Empty for a process that is gone, or dead and not yet waited for. */
function commandLineOf(pid: number): readonly string[] {
  const text = readText(join(PROC, String(pid), "cmdline")) ?? "";
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
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
