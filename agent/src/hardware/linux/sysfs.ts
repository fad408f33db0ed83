// Reads the PCI functions of a machine from sysfs below a root. Knows sysfs' names, not what the
// functions are used for; bridges are told as the path above a function and not listed themselves.
import { join } from "node:path";
import type { PciFunction } from "../hardware.js";
import { readLink, readLinkName, readNames, readNumber, readText } from "./attributes.js";

export const PCI_DEVICES = "/sys/bus/pci/devices";
export const PCI_DRIVERS = "/sys/bus/pci/drivers";

const ADDRESS = /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
const BRIDGE_CLASS = "0604";
const VFS_MAX = 1024;

/** True for `dddd:bb:dd.f` in lower case. */
export function isPciAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** Every PCI function except PCI-to-PCI bridges, in address order. */
export function readFunctions(root: string): readonly PciFunction[] {
  return readNames(join(root, PCI_DEVICES)).flatMap((address) => {
    const found = isPciAddress(address) ? readFunction(root, address) : undefined;
    return found === undefined || found.classCode.startsWith(BRIDGE_CLASS) ? [] : [found];
  });
}

/** One function; undefined when it is not, or no longer, on the bus. */
export function readFunction(root: string, address: string): PciFunction | undefined {
  const dir = join(root, PCI_DEVICES, address);
  const target = readLink(dir);
  const classCode = hex(readText(join(dir, "class")));
  if (target === undefined || classCode === "") return undefined;
  const bridge = classCode.startsWith(BRIDGE_CLASS);
  const names = new Set(bridge ? [] : readNames(dir));
  const vfCount = names.has("sriov_numvfs") ? readNumber(join(dir, "sriov_numvfs"), 0) : 0;
  return {
    address,
    vendor: hex(readText(join(dir, "vendor"))),
    device: hex(readText(join(dir, "device"))),
    classCode,
    numa: bridge ? -1 : readNumber(join(dir, "numa_node"), -1),
    iommuGroup: names.has("iommu_group") ? readLinkName(join(dir, "iommu_group")) : "",
    driver: names.has("driver") ? readLinkName(join(dir, "driver")) : "",
    path: target.split("/").filter((part) => isPciAddress(part) && part !== address),
    vfsMax: names.has("sriov_totalvfs") ? readNumber(join(dir, "sriov_totalvfs"), 0) : 0,
    vfCount,
    vfs: readVfAddresses(dir, names),
    pf: names.has("physfn") ? readLinkName(join(dir, "physfn")) : undefined,
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

function hex(text: string | undefined): string {
  return text?.toLowerCase().replace(/^0x/, "") ?? "";
}
