// Builds and changes a sysfs-like tree: PCI functions, links, drivers. Paths begin with `/` and lie
// below the root given; links are relative, as in the real one. Knows neither models nor rules.
import { createHash } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, posix } from "node:path";

export const DEVICES = "/sys/bus/pci/devices";
export const DRIVERS = "/sys/bus/pci/drivers";
export const NET = "/sys/class/net";
const VALUES = "/values";
const GROUPS = "/sys/kernel/iommu_groups";
const CONFIG_BYTES = 64;

export interface FunctionFiles {
  readonly address: string;
  /** Directory of the bridge or host bridge above it. */
  readonly parent: string;
  readonly vendor: string;
  readonly device: string;
  readonly classCode: string;
  readonly numa: number;
  /** Absent for bridges. */
  readonly iommuGroup?: number;
  readonly attributes?: Readonly<Record<string, string>>;
  /** What the device's own id registers read; default the ids above. */
  readonly registers?: Registers;
}

export interface Registers {
  readonly vendor: string;
  readonly device: string;
}

/** Adds a PCI function and returns its directory. */
export function addFunction(root: string, fn: FunctionFiles): string {
  const dir = `${fn.parent}/${fn.address}`;
  const attributes = {
    class: `0x${fn.classCode}`,
    vendor: `0x${fn.vendor}`,
    device: `0x${fn.device}`,
    numa_node: String(fn.numa),
    ...fn.attributes,
  };
  mkdirSync(join(root, dir), { recursive: true });
  for (const [name, text] of Object.entries(attributes)) put(root, `${dir}/${name}`, text);
  if (fn.iommuGroup !== undefined) {
    writeConfig(root, dir, fn.registers ?? fn);
    // Only the group's number is looked at, so the group has no directory behind the link.
    link(root, `${dir}/iommu_group`, `${GROUPS}/${fn.iommuGroup}`);
  }
  link(root, `${DEVICES}/${fn.address}`, dir);
  return dir;
}

/** Takes a function off the bus and removes its directory; what is gone already stays gone. */
export function removeFunction(root: string, dir: string): void {
  unlink(root, `${DEVICES}/${posix.basename(dir)}`);
  rmSync(join(root, dir), { recursive: true, force: true });
}

/** Addresses of all functions on the bus. */
export function functionsOnBus(root: string): readonly string[] {
  return readdirSync(join(root, DEVICES)).sort();
}

export function hasAttribute(root: string, path: string): boolean {
  return existsSync(join(root, path));
}

export function isOnBus(root: string, address: string): boolean {
  return linkName(root, `${DEVICES}/${address}`) !== "";
}

/** The directory behind a function's place on the bus. */
export function directoryOf(root: string, address: string): string {
  return posix.join(DEVICES, readlinkSync(join(root, DEVICES, address)));
}

/** Sets the header that the device itself answers with; `dead`: it reads ones only. */
export function writeConfig(root: string, dir: string, registers: Registers | "dead"): void {
  const header = Buffer.alloc(CONFIG_BYTES, registers === "dead" ? 0xff : 0);
  if (registers !== "dead") {
    header.writeUInt16LE(Number.parseInt(registers.vendor, 16), 0);
    header.writeUInt16LE(Number.parseInt(registers.device, 16), 2);
  }
  putBytes(root, `${dir}/config`, header);
}

/** Sets an attribute, which is made when it is new. */
export function put(root: string, path: string, text: string): void {
  putBytes(root, path, Buffer.from(`${text}\n`));
}

export function makeDir(root: string, path: string): void {
  mkdirSync(join(root, path), { recursive: true });
}

/** Like the kernel's own links, this one always ends in the name of what it points at. */
export function link(root: string, path: string, target: string): void {
  const above = posix.relative(posix.dirname(path), posix.dirname(target));
  symlinkSync(posix.join(above, posix.basename(target)), join(root, path));
}

/** Removes a link, if it is there. */
export function unlink(root: string, path: string): void {
  rmSync(join(root, path), { force: true });
}

export function get(root: string, path: string): string {
  return readFileSync(join(root, path), "utf8").trim();
}

/** Last part of a link's target; empty when there is no link. */
export function linkName(root: string, path: string): string {
  try {
    return posix.basename(readlinkSync(join(root, path)));
  } catch {
    // No such link.
    return "";
  }
}

/**
 * Sets an attribute to bytes. A machine has thousands of attributes and few different values, and
 * making a file costs ten times what a link to one does: each value is a file once, and attributes
 * are hard links to it. So an attribute is never written in place, only replaced.
 */
export function putBytes(root: string, path: string, value: Buffer): void {
  const shared = join(root, VALUES, createHash("sha256").update(value).digest("hex"));
  const target = join(root, path);
  if (!existsSync(shared)) {
    mkdirSync(join(root, VALUES), { recursive: true });
    writeFileSync(`${shared}.draft`, value);
    renameSync(`${shared}.draft`, shared);
  }
  if (existsSync(target)) rmSync(target);
  linkSync(shared, target);
}
