// The arguments of one QEMU, from what a guest is to be: pure and the same for the same guest. Also
// reads them back from a running process, so that what runs can be told by what it was given.
import { bug } from "@railyard/lib/errors";
import type { GuestFunction, GuestSpec, Layout } from "../../../model.js";
import type { GuestPlace } from "./place.js";

export type Accelerator = "kvm" | "tcg";

/**
 * The guest's memory, NUMA nodes, expanders, ports and passed through functions as arguments. A
 * port is named `bus` and the two digits of the bus that it opens.
 */
export type LayoutArguments = (input: {
  readonly layout: Layout;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly functions: readonly GuestFunction[];
}) => readonly string[];

/** What a host function becomes in a guest's arguments. */
export type Backing =
  /** Passed through; `group` is the device node of its IOMMU group. */
  | { readonly kind: "vfio"; readonly group: string }
  /** A virtio device on a TAP that is already there. */
  | { readonly kind: "tap"; readonly tap: string; readonly mac: string; readonly mtu: number }
  /** An emulated device without any use, where a GPU would sit. */
  | { readonly kind: "stand-in" };

export interface Disk {
  readonly path: string;
  readonly format: "qcow2" | "raw";
  readonly readOnly: boolean;
}

export interface VpcTap {
  readonly tap: string;
  readonly mac: string;
}

export interface GuestMachine {
  readonly spec: GuestSpec;
  readonly place: GuestPlace;
  readonly accelerator: Accelerator;
  /** The first is booted from. */
  readonly disks: readonly Disk[];
  readonly vpcTaps: readonly VpcTap[];
  /** One for every function of the guest, by host address. */
  readonly backings: ReadonlyMap<string, Backing>;
  readonly layoutArguments: LayoutArguments;
}

/** Slots of the root bus: VPC NICs from here up to the disks, disks up to the expanders. */
const FIRST_VPC_SLOT = 0x2;
const RNG_SLOT = 0x7;
const FIRST_DISK_SLOT = 0x8;
export const VPC_NICS_MAX = RNG_SLOT - FIRST_VPC_SLOT;
/** Expanders begin at slot 16. */
export const DISKS_MAX = 0x10 - FIRST_DISK_SLOT;

/** Everything after the program's name. Every value was checked before, or is ours. */
export function qemuArguments(machine: GuestMachine): readonly string[] {
  const { spec, place } = machine;
  return [
    ...["-name", spec.instanceId, "-nodefaults", "-no-user-config", "-display", "none"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-pidfile", place.pid],
    ...computer(machine),
    ...["-chardev", socket("control", place.control), "-mon", "chardev=control,mode=control"],
    ...["-chardev", socket("serial", place.serial), "-serial", "chardev:serial"],
    ...["-object", "rng-random,id=entropy,filename=/dev/urandom"],
    ...device("virtio-rng-pci", { rng: "entropy", bus: "pcie.0", addr: slot(RNG_SLOT) }),
    ...machine.vpcTaps.flatMap((nic, index) => vpcNic(nic, index)),
    ...machine.disks.flatMap((disk, index) => blockDevice(disk, index)),
    ...functionArguments(machine),
  ];
}

/** What a QEMU's arguments say of the guest. */
export interface Definition {
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly functions: readonly DefinedFunction[];
}

/** A function that a QEMU was given, and the address that its place in the tree stands for. */
export interface DefinedFunction extends GuestFunction {
  /** Its name inside QEMU. */
  readonly name: string;
}

/** The inverse of `qemuArguments`, for what an observer needs. */
export function readDefinition(args: readonly string[]): Definition {
  const after = (option: string) => args[args.indexOf(option) + 1] ?? "";
  return {
    vcpu: Number.parseInt(after("-smp"), 10) || 0,
    memoryMib: Number.parseInt(after("-m"), 10) || 0,
    functions: args.flatMap((text, at) =>
      text === "-device" ? definedFunction(args[at + 1] ?? "") : [],
    ),
  };
}

const FUNCTION_NAME = /^fn-([0-9a-f]{4})-([0-9a-f]{2})-([0-9a-f]{2})-([0-7])$/;
const HOST_ADDRESS = /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
const PORT_NAME = /^bus([0-9a-f]{2})$/;

/** A function that is no PCI function of the host is told by its name. */
function functionName(hostAddress: string): string {
  return `fn-${hostAddress.replaceAll(/[:.]/g, "-")}`;
}

function definedFunction(text: string): readonly DefinedFunction[] {
  const options = new Map(text.split(",").map((o) => [o.split("=", 1)[0], o.split("=")[1] ?? ""]));
  const name = options.get("id") ?? "";
  const [, below] = PORT_NAME.exec(options.get("bus") ?? "") ?? [];
  const [, domain, bus, slot, number] = FUNCTION_NAME.exec(name) ?? [];
  const hostAddress = options.get("host") ?? `${domain}:${bus}:${slot}.${number}`;
  if (below === undefined || !HOST_ADDRESS.test(hostAddress)) return [];
  return [{ name, hostAddress, guestAddress: `0000:${below}:00.0` }];
}

function computer({ spec, accelerator }: GuestMachine): readonly string[] {
  return [
    ...["-machine", "q35", "-accel", accelerator],
    ...["-cpu", accelerator === "kvm" ? "host" : "max"],
    ...["-smp", String(spec.vcpu), "-m", `${spec.memoryMib}M`],
  ];
}

function functionArguments(machine: GuestMachine): readonly string[] {
  const { backings, layoutArguments } = machine;
  const { layout, functions, vcpu, memoryMib } = machine.spec;
  if (layout === undefined) {
    if (functions.length > 0) throw bug("a guest with functions has no layout");
    return [];
  }
  const passed = functions.filter((fn) => backings.get(fn.hostAddress)?.kind === "vfio");
  const others = functions.filter((fn) => !passed.includes(fn));
  return [
    ...layoutArguments({ layout, vcpu, memoryMib, functions: passed }),
    ...others.flatMap((fn) => softDevice(fn, backings.get(fn.hostAddress))),
  ];
}

function vpcNic({ tap, mac }: VpcTap, index: number): readonly string[] {
  const id = `vpc-${index}`;
  return [
    ...["-netdev", arg("tap", { id, ifname: tap, script: "no", downscript: "no" })],
    ...device("virtio-net-pci", {
      netdev: id,
      mac,
      romfile: "",
      bus: "pcie.0",
      addr: slot(FIRST_VPC_SLOT + index),
    }),
  ];
}

function blockDevice({ path, format, readOnly }: Disk, index: number): readonly string[] {
  const node = `disk-${index}`;
  // JSON needs no escaping of whatever a path may hold.
  const block = {
    driver: format,
    "node-name": node,
    "read-only": readOnly,
    file: { driver: "file", filename: path },
  };
  return [
    ...["-blockdev", JSON.stringify(block)],
    ...device("virtio-blk-pci", {
      drive: node,
      bus: "pcie.0",
      addr: slot(FIRST_DISK_SLOT + index),
      ...(index === 0 && { bootindex: "0" }),
    }),
  ];
}

function softDevice(fn: GuestFunction, backing: Backing | undefined): readonly string[] {
  const { hostAddress, guestAddress } = fn;
  if (backing === undefined || backing.kind === "vfio") {
    throw bug(`nothing is known of pci function ${hostAddress}`);
  }
  const id = functionName(hostAddress);
  const at = { id, bus: `bus${guestAddress.slice(5, 7)}`, addr: "0x0" };
  if (backing.kind === "stand-in") return device("edu", at);
  const { tap, mac, mtu } = backing;
  const netdev = `net-${id}`;
  return [
    ...["-netdev", arg("tap", { id: netdev, ifname: tap, script: "no", downscript: "no" })],
    ...device("virtio-net-pci", { netdev, mac, host_mtu: String(mtu), romfile: "", ...at }),
  ];
}

function device(driver: string, options: Readonly<Record<string, string>>): readonly string[] {
  return ["-device", arg(driver, options)];
}

function socket(id: string, path: string): string {
  return arg("socket", { id, path, server: "on", wait: "off" });
}

function slot(number: number): string {
  return `0x${number.toString(16)}`;
}

/** One `-device`-like argument; no value holds a comma. */
function arg(driver: string, options: Readonly<Record<string, string>>): string {
  return [driver, ...Object.entries(options).map(([name, value]) => `${name}=${value}`)].join(",");
}
