// Reads the PCI functions of a machine from sysfs below a root. Knows sysfs' names, not what the
// functions are used for; bridges are told as the path above a function and not listed themselves.
import { join } from "node:path";
import type { PciFunction } from "../hardware.js";
import {
  readLink,
  readLinkIdentity,
  readLinkName,
  readNames,
  readNumber,
  readText,
} from "./attributes.js";
import { readAnswers, readBars, readLinkMax, readLinkNow } from "./pcie.js";

export const PCI_DEVICES = "/sys/bus/pci/devices";
export const PCI_DRIVERS = "/sys/bus/pci/drivers";

const ADDRESS = /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
const DRIVER_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
/** Stands for a driver whose name must not reach a path. */
const STRANGE_DRIVER = "?";
export const BRIDGE_CLASS = "0604";
const VFS_MAX = 1024;
const NAME_SHOWN_MAX = 40;
const NO_LINK = { speedGts: 0, width: 0 };

/** True for `dddd:bb:dd.f` in lower case. */
export function isPciAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** A name from the machine as it may be printed: quoted, short, without control characters. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, NAME_SHOWN_MAX));
}

/**
 * What a function is for as long as it stands on the bus: a device that comes back, or another one
 * in its place, is linked anew.
 */
export interface Nature {
  readonly is: Pick<PciFunction, "address" | "vendor" | "device" | "classCode" | "path" | "pf">;
  /** The identity of its link on the bus. */
  readonly link: string;
  /** Of a VF; other functions can be told theirs by an administrator. */
  readonly numa: number | undefined;
}

/** One function; undefined when it is not, or no longer, on the bus. */
export function readFunction(root: string, address: string): PciFunction | undefined {
  const nature = readNature(root, address);
  return nature && functionOf(root, nature);
}

/**
 * What the function at an address is; `known`, what it was before, stands as long as it stayed on
 * the bus. Undefined when nothing is there.
 */
export function readNature(root: string, address: string, known?: Nature): Nature | undefined {
  const dir = join(root, PCI_DEVICES, address);
  const link = readLinkIdentity(dir);
  if (known !== undefined && link === known.link && !becameVf(dir, known)) return known;
  const target = readLink(dir);
  const classCode = hex(readText(join(dir, "class")));
  if (link === undefined || target === undefined || classCode === "") return undefined;
  const pf = readLinkName(join(dir, "physfn")) || undefined;
  return {
    link,
    is: {
      address,
      vendor: hex(readText(join(dir, "vendor"))),
      device: hex(readText(join(dir, "device"))),
      classCode,
      path: target.split("/").filter((part) => isPciAddress(part) && part !== address),
      pf,
    },
    numa: pf === undefined ? undefined : readNuma(dir),
  };
}

// The kernel puts a VF on the bus a moment before it links it to its PF (drivers/pci/iov.c,
// pci_iov_add_virtfn): a look in between takes it for a physical function.
function becameVf(dir: string, { is }: Nature): boolean {
  return is.pf === undefined && readLinkIdentity(join(dir, "physfn")) !== undefined;
}

/** A function as it is now. */
export function functionOf(root: string, { is, numa }: Nature): PciFunction {
  const dir = join(root, PCI_DEVICES, is.address);
  if (isBridge(is)) return { iommuGroup: "", driver: "", numa: -1, ...is, ...NO_DETAILS };
  return {
    iommuGroup: readLinkName(join(dir, "iommu_group")),
    driver: readDriver(join(dir, "driver")),
    numa: numa ?? readNuma(dir),
    ...is,
    ...(is.pf === undefined ? readDetails(root, dir, is.path) : NO_DETAILS),
  };
}

export function isBridge({ classCode }: Pick<PciFunction, "classCode">): boolean {
  return classCode.startsWith(BRIDGE_CLASS);
}

type Details = Omit<PciFunction, keyof Nature["is"] | "iommuGroup" | "driver" | "numa">;

// A VF has no link and no ranges of its own, and a machine has many: they are not asked.
const NO_DETAILS: Details = {
  vfsMax: 0,
  vfCount: 0,
  vfs: [],
  linkSpeedGts: 0,
  linkWidth: 0,
  linkMax: NO_LINK,
  bars: [],
  vfBars: [],
  answers: true,
};

function readDetails(root: string, dir: string, path: readonly string[]): Details {
  const names = new Set(readNames(dir));
  const above = path.at(-1);
  const { speedGts, width } = readLinkNow(dir);
  const vfsMax = names.has("sriov_totalvfs") ? readNumber(join(dir, "sriov_totalvfs"), 0) : 0;
  return {
    vfsMax,
    vfCount: names.has("sriov_numvfs") ? readNumber(join(dir, "sriov_numvfs"), 0) : 0,
    vfs: readVfAddresses(dir, names),
    linkSpeedGts: speedGts,
    linkWidth: width,
    linkMax: readLinkMax(dir, above === undefined ? undefined : join(root, PCI_DEVICES, above)),
    ...readBars(dir, vfsMax),
    answers: readAnswers(dir),
  };
}

// The links count, not sriov_numvfs: the two differ while VFs come or go.
function readVfAddresses(dir: string, names: ReadonlySet<string>): readonly string[] {
  const found: string[] = [];
  while (found.length < VFS_MAX && names.has(`virtfn${found.length}`)) {
    found.push(readLinkName(join(dir, `virtfn${found.length}`)));
  }
  return found;
}

function readNuma(dir: string): number {
  return readNumber(join(dir, "numa_node"), -1);
}

// Most VFs have none, and a link that is absent costs more to read than to look for.
function readDriver(path: string): string {
  if (readLinkIdentity(path) === undefined) return "";
  const name = readLinkName(path);
  return DRIVER_NAME.test(name) ? name : STRANGE_DRIVER;
}

function hex(text: string | undefined): string {
  return text?.toLowerCase().replace(/^0x/, "") ?? "";
}
