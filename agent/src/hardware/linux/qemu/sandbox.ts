// What a guest's QEMU may do where systemd runs: one list of unit properties, given to systemd-run
// and rendered as a unit file for whoever wants to judge it. Pure; it starts nothing.
import { dirname, join } from "node:path";
import { invalidField } from "@railyard/lib/errors";
import type { GuestMachine } from "./arguments.js";
import { type GuestPlace, isPlainPath } from "./place.js";
import type { GuestUser } from "./processes.js";

/** What one guest needs of the machine beside its own folder. */
export interface GuestNeeds {
  readonly place: GuestPlace;
  /** Undefined: the agent's own. */
  readonly user: GuestUser | undefined;
  /** Paths of device nodes. */
  readonly devices: readonly string[];
  /** Disks that outlive it; nothing else in their directories can be seen. */
  readonly volumes: readonly string[];
  /** What its disk lies over, by every path that leads there. */
  readonly images?: readonly string[];
  /** Folders and files that it must not see, whoever may read them. */
  readonly privatePaths?: readonly string[];
  /** Those of the host that it runs on, in the kernel's list format; absent: any. */
  readonly processors?: string | undefined;
}

/**
 * Of every machine, the same: without an account of its own QEMU is root as far as files go, if
 * without any capability. Keys and settings of Railyard, and of the machine.
 */
const SECRETS = [
  ...["/etc/railyard", "/etc/shadow", "/etc/gshadow"],
  ...["/etc/ssh", "/etc/ssl/private"],
  // Guests may have one account, and so may look into each other's processes: at /proc/PID/root
  // they would find each other's files, at /proc/PID/mem each other. QEMU can do without.
  "/proc",
];
/** Where daemons listen that do as root tells them: the service manager, D-Bus, containers. */
const DAEMONS = "/run";

const FORBIDDEN_CALLS = [
  ...["@privileged", "@mount", "@swap", "@reboot", "@module", "@raw-io"],
  ...["@obsolete", "@debug", "@cpu-emulation", "@clock"],
  // Part of @ipc; see /proc above.
  ...["process_vm_readv", "process_vm_writev"],
];

/** The same for every guest. Sources: systemd.exec(5), systemd.resource-control(5). */
const CLOSED = [
  "UMask=0077",
  // VFIO pins all of a guest's memory; none of it may land in a dump.
  "LimitMEMLOCK=infinity",
  "LimitCORE=0",
  // VFIO and KVM take a file for each interrupt vector of each function; the 1024 that systemd
  // gives by itself are too few for 32 VFs.
  "LimitNOFILE=65536",
  // Devices and TAPs are its user's by the time it starts: no capability is left to need.
  "CapabilityBoundingSet=",
  "AmbientCapabilities=",
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "PrivateMounts=yes",
  "PrivateIPC=yes",
  "RemoveIPC=yes",
  "KeyringMode=private",
  "ProtectProc=invisible",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  // VFIO reads below /sys: that is read-only, yet there.
  "ProtectKernelTunables=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  // Its monitor and its console; packets come and go through TAPs and functions. These TAPs are
  // the machine's, so its network cannot be a private one, but addresses are denied.
  "RestrictAddressFamilies=AF_UNIX",
  "IPAddressDeny=any",
  // No PrivateDevices and no PrivateUsers: they would take /dev/kvm, /dev/vfio and what is the
  // user's there. No MemoryDenyWriteExecute: emulation writes the code that it runs.
  "DevicePolicy=closed",
  "SystemCallArchitectures=native",
  // @resources stays: memory is bound to NUMA nodes. QEMU's own -sandbox narrows all of it further,
  // by a call of its own.
  "SystemCallFilter=@system-service seccomp",
  `SystemCallFilter=~${FORBIDDEN_CALLS.join(" ")}`,
  "SystemCallErrorNumber=EPERM",
];

/**
 * The properties of one guest's unit, each `Name=value`. Throws `invalid` for a path that a
 * property would read in another way than as one path.
 */
export function unitProperties(needs: GuestNeeds): readonly string[] {
  const { place, user, devices, volumes, processors } = needs;
  const { covered, inaccessible, shown } = hiding(needs);
  for (const path of [...devices, ...volumes, ...covered, ...inaccessible, ...shown]) {
    checkPath(path);
  }
  return [
    "Type=exec",
    // Appended, so that the agent can cut it while QEMU has it open.
    `StandardError=append:${place.complaints}`,
    ...(user ? [`User=${user.name}`, `Group=${user.gid}`] : []),
    ...(processors === undefined ? [] : [`CPUAffinity=${processors}`]),
    ...CLOSED,
    ...devices.map((path) => `DeviceAllow=${path} rw`),
    ...covered.map((path) => `TemporaryFileSystem=${path}:ro`),
    ...inaccessible.map((path) => `InaccessiblePaths=-${path}`),
    ...[place.box, ...volumes].map((path) => `BindPaths=${path}`),
    ...shown.map((path) => `BindReadOnlyPaths=${path}`),
  ];
}

/**
 * What a guest does not see: other guests may have the same user, so neither their folders nor
 * their volumes are there. A folder in which something is to be seen after all is covered by an
 * empty one, as nothing can be shown below an inaccessible one.
 */
function hiding({ place, volumes, images = [], privatePaths = [] }: GuestNeeds) {
  const used = [place.box, place.seed, ...images, ...volumes];
  const own = [DAEMONS, dirname(place.dir), ...volumes.map((path) => dirname(path))];
  const secret = [...SECRETS, ...privatePaths];
  const holdsUsed = (path: string) => used.some((one) => isBelow(one, path));
  const covered = outermost([...own, ...secret.filter(holdsUsed)]);
  const isCovered = (path: string) => covered.some((one) => one === path || isBelow(path, one));
  const inaccessible = outermost(secret.filter((path) => !holdsUsed(path) && !isCovered(path)));
  const shown = [...new Set([place.seed, ...images.filter(isCovered)])];
  return { covered, inaccessible, shown };
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(join(folder, "/"));
}

/** Those that lie below no other. */
function outermost(paths: readonly string[]): readonly string[] {
  const all = [...new Set(paths)];
  return all.filter((path) => !all.some((other) => isBelow(path, other)));
}

/** The same as a unit file. */
export function renderUnit(needs: GuestNeeds, program: string): string {
  const lines = [`ExecStart=${program}`, ...unitProperties(needs)];
  return `[Unit]\nDescription=Railyard guest\n\n[Service]\n${lines.join("\n")}\n`;
}

/** Device nodes that a guest's QEMU opens. */
export function devicesOf(
  machine: Pick<GuestMachine, "accelerator" | "vpcTaps" | "backings">,
): string[] {
  const backings = [...machine.backings.values()];
  const groups = backings.flatMap((b) => (b.kind === "vfio" ? [b.group] : []));
  const hasTaps = machine.vpcTaps.length > 0 || backings.some((b) => b.kind === "tap");
  return [
    ...(machine.accelerator === "kvm" ? ["/dev/kvm"] : []),
    ...(hasTaps ? ["/dev/net/tun"] : []),
    ...(groups.length > 0 ? ["/dev/vfio/vfio", ...new Set(groups)] : []),
  ];
}

function checkPath(path: string): void {
  if (isPlainPath(path)) return;
  throw invalidField("path", `${path} must be absolute, of letters, digits and -_.+@/ only`);
}
