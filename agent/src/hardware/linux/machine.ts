// The machine that the agent runs on, put together: devices, guests under QEMU and, in a lab, rails
// without SR-IOV. What the machine lacks is told as oddities, since an agent that cannot run guests
// can still say why.
import { chmodSync, existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "@railyard/lib/clock";
import { invalidField } from "@railyard/lib/errors";
import { makePrivateFolder } from "@railyard/lib/private-folder";
import type { GuestSpec } from "../../model.js";
import type { Hardware, MachineFacts, Oddity } from "../hardware.js";
import { readNames } from "./attributes.js";
import type { Guests } from "./guests.js";
import { createLinuxHardware } from "./linux.js";
import { type Outside, systemOutside } from "./outside.js";
import { type OverlayOptions, overlayRails, withOverlay } from "./overlay/overlay.js";
import type { LayoutArguments } from "./qemu/arguments.js";
import { passthroughBackings } from "./qemu/backings.js";
import { qemuGuests } from "./qemu/guests.js";
import { guestPlace, isPlainPath } from "./qemu/place.js";
import { type GuestUser, QEMU } from "./qemu/processes.js";
import { PCI_DRIVERS } from "./sysfs.js";
import { checkUsed, lookStillThere } from "./used-folders.js";
import type { IommuRule } from "./vfio.js";

export interface MachineOptions {
  readonly clock: Clock;
  readonly dataDir: string;
  readonly guestsDir: string;
  readonly volumesDir: string;
  readonly accelerator: "kvm" | "tcg";
  readonly vpcBridge: string;
  /** Empty: guests run as the agent does. */
  readonly guestUser: string;
  /** Files with what nobody but the agent may read. */
  readonly secretPaths: readonly string[];
  readonly iommu: IommuRule;
  readonly overlay?: OverlayOptions;
  readonly layoutArguments: LayoutArguments;
  /** Stands in for guests under QEMU, on machines that cannot run any. */
  readonly pretended?: Guests;
}

/** The owner's, and a way through for others. */
const WAY_MODE = 0o711;
/** What systemd takes for the name of an account, too; systemd-run is told it. */
const ACCOUNT = /^[A-Za-z_][-A-Za-z0-9_.]{0,30}\$?$/;
const NUMBER = /^\d{1,10}$/;
/** As long as the ids that are given out. */
const LONGEST_ID = "i".repeat(28);

/**
 * Throws `invalid` for a directory or an account that cannot be used, `unavailable` where one of
 * the directories lacks what was in it.
 */
export function createMachine(options: MachineOptions): Hardware {
  const { clock, accelerator, vpcBridge, guestUser, iommu, layoutArguments } = options;
  const { guestsDir, volumesDir, pretended } = options;
  guestPlace(guestsDir, LONGEST_ID);
  makePrivateFolder(guestsDir, "RAILYARD_AGENT_GUESTS_DIR");
  makePrivateFolder(volumesDir, "RAILYARD_AGENT_VOLUMES_DIR");
  checkUsed(options.dataDir, { name: "guests", path: guestsDir });
  checkUsed(options.dataDir, { name: "volumes", path: volumesDir });
  const privatePaths = [options.dataDir, volumesDir, ...options.secretPaths];
  const odd = privatePaths.find((path) => !isPlainPath(path));
  if (odd !== undefined) throw invalidField("private paths", `no unit can name ${odd}`);
  const outside = systemOutside(clock);
  const user = guestUser === "" ? undefined : readUser(guestUser);
  const place = { dataDir: options.dataDir, ...(user && { uid: user.uid }) };
  if (user) for (const path of [guestsDir, volumesDir]) openWay(path, user);
  const rails = options.overlay && overlayRails(outside, options.overlay, place);
  const passed = passthroughBackings(outside, { iommu, ...(user && { user }) });
  const backings = async (spec: GuestSpec) => (rails ? rails.backings(spec) : passed(spec));
  const guests = pretended
    ? checkedFirst(pretended, backings)
    : qemuGuests({
        ...{ outside, clock, guestsDir, volumesDir, accelerator, vpcBridge, layoutArguments },
        ...(user && { user }),
        ...{ privatePaths, backings, checkDirs: lookStillThere(clock, [guestsDir, volumesDir]) },
      });
  const linux = createLinuxHardware({ outside, guests, clock, fake: false, iommu });
  const machine: Hardware = {
    ...linux,
    async readFacts() {
      const facts = await linux.readFacts();
      const lacking = lacks(outside, facts, pretended ? "none" : accelerator);
      return { ...facts, oddities: [...facts.oddities, ...lacking] };
    },
  };
  return rails ? withOverlay(machine, rails) : machine;
}

/** Guests that are refused the devices that real ones would be refused. */
function checkedFirst(guests: Guests, check: (spec: GuestSpec) => Promise<unknown>): Guests {
  return {
    ...guests,
    async start(spec, givenUp) {
      await check(spec);
      return guests.start(spec, givenUp);
    },
  };
}

/** What keeps this machine from running guests with devices of its own. */
function lacks(
  outside: Outside,
  facts: MachineFacts,
  accelerator: MachineOptions["accelerator"] | "none",
): readonly Oddity[] {
  const at = (path: string) => join(outside.root, path);
  const found: (readonly [string, string])[] = [];
  // Without a function that could have VFs there is nothing to hand over.
  if (facts.functions.some((fn) => fn.vfsMax > 0)) {
    if (readNames(at("/sys/kernel/iommu_groups")).length === 0) {
      found.push(["no-iommu", "the kernel has no IOMMU: functions cannot be given to guests"]);
    }
    if (!existsSync(at(`${PCI_DRIVERS}/vfio-pci`))) {
      found.push(["no-vfio-pci", "the driver vfio-pci is not loaded: modprobe vfio-pci"]);
    }
  }
  if (accelerator === "none") {
    found.push(["pretended-guests", "guests are only pretended on this machine"]);
  } else if (!existsSync(at(QEMU))) found.push(["no-qemu", `${QEMU} is missing: no guest can run`]);
  if (accelerator === "kvm" && !existsSync(at("/dev/kvm"))) {
    found.push(["no-kvm", "/dev/kvm is missing: guests cannot run with the accelerator kvm"]);
  }
  return found.map(([kind, message]) => ({ kind, message, pciAddress: "" }));
}

/** Lets an account reach what is its own below a directory, without seeing what else is there. */
function openWay(dir: string, { name, uid, gid }: GuestUser): void {
  chmodSync(dir, WAY_MODE);
  for (let path = dir; path !== dirname(path); path = dirname(path)) {
    const { mode, uid: owner, gid: group } = statSync(path);
    const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) {
      throw invalidField("RAILYARD_AGENT_GUEST_USER", `${name} cannot get through ${path}`);
    }
  }
}

function readUser(name: string): GuestUser {
  const refused = (why: string) => invalidField("RAILYARD_AGENT_GUEST_USER", why);
  if (!ACCOUNT.test(name)) throw refused("must be the name of an account");
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid = "", gid = ""] = line?.split(":") ?? [];
  if (!NUMBER.test(uid) || !NUMBER.test(gid)) throw refused(`account ${name} is not known`);
  return { name, uid: Number(uid), gid: Number(gid) };
}
