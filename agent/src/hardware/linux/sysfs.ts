// Reads the PCI functions of a machine from sysfs below a root. Knows sysfs' names, not what the
// functions are used for; bridges are told as the path above a function and not listed themselves.
import { join } from "node:path";
import type { Oddity, PciFunction } from "../hardware.js";
import { readLink, readLinkName, readNames, readNumber, readText } from "./attributes.js";
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

/** Every PCI function except PCI-to-PCI bridges, in address order, and what was left aside. */
export function readBus(root: string): {
  readonly functions: readonly PciFunction[];
  readonly oddities: readonly Oddity[];
} {
  const functions: PciFunction[] = [];
  const oddities: Oddity[] = [];
  for (const address of readNames(join(root, PCI_DEVICES))) {
    const found = isPciAddress(address) ? readFunction(root, address) : undefined;
    if (found === undefined) oddities.push(...oddityOf(root, address));
    else if (!found.classCode.startsWith(BRIDGE_CLASS)) functions.push(found);
  }
  return { functions, oddities };
}

function oddityOf(root: string, address: string): readonly Oddity[] {
  if (!isPciAddress(address)) {
    const message = `${quoted(address)} on the bus is no PCI address`;
    return [{ kind: "strange-name", pciAddress: "", message }];
  }
  // Gone between two reads is no oddity.
  if (readLink(join(root, PCI_DEVICES, address)) === undefined) return [];
  const message = "the kernel does not tell its class";
  return [{ kind: "unreadable-attribute", pciAddress: address, message }];
}

/** One function; undefined when it is not, or no longer, on the bus. */
export function readFunction(root: string, address: string): PciFunction | undefined {
  const dir = join(root, PCI_DEVICES, address);
  const target = readLink(dir);
  const classCode = hex(readText(join(dir, "class")));
  if (target === undefined || classCode === "") return undefined;
  const bridge = classCode.startsWith(BRIDGE_CLASS);
  const names = new Set(bridge ? [] : readNames(dir));
  const path = target.split("/").filter((part) => isPciAddress(part) && part !== address);
  const vfsMax = names.has("sriov_totalvfs") ? readNumber(join(dir, "sriov_totalvfs"), 0) : 0;
  return {
    address,
    vendor: hex(readText(join(dir, "vendor"))),
    device: hex(readText(join(dir, "device"))),
    classCode,
    numa: bridge ? -1 : readNumber(join(dir, "numa_node"), -1),
    iommuGroup: names.has("iommu_group") ? readLinkName(join(dir, "iommu_group")) : "",
    driver: names.has("driver") ? driverName(readLinkName(join(dir, "driver"))) : "",
    path,
    vfsMax,
    vfCount: names.has("sriov_numvfs") ? readNumber(join(dir, "sriov_numvfs"), 0) : 0,
    vfs: readVfAddresses(dir, names),
    pf: names.has("physfn") ? readLinkName(join(dir, "physfn")) : undefined,
    ...(bridge || names.has("physfn") ? NO_DETAILS : readDetails(root, dir, { path, vfsMax })),
  };
}

type Details = Pick<
  PciFunction,
  "linkSpeedGts" | "linkWidth" | "linkMax" | "bars" | "vfBars" | "answers"
>;

// A VF has no link and no ranges of its own, and a machine has many: they are not asked.
const NO_DETAILS: Details = {
  linkSpeedGts: 0,
  linkWidth: 0,
  linkMax: NO_LINK,
  bars: [],
  vfBars: [],
  answers: true,
};

function readDetails(
  root: string,
  dir: string,
  { path, vfsMax }: Pick<PciFunction, "path" | "vfsMax">,
): Details {
  const above = path.at(-1);
  const { speedGts, width } = readLinkNow(dir);
  return {
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

function driverName(name: string): string {
  return DRIVER_NAME.test(name) ? name : STRANGE_DRIVER;
}

function hex(text: string | undefined): string {
  return text?.toLowerCase().replace(/^0x/, "") ?? "";
}
