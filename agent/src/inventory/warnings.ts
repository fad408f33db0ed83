// What is missing or contradictory in what single devices tell: registers, NUMA, links, VFs. Pure;
// it judges nothing against a declaration, which the machine does not know.
import type { MachineFacts, PciFunction } from "../hardware/hardware.js";
import type { Device, InventoryWarning } from "../model.js";

const WARNINGS_MAX = 256;
const CLASS_NETWORK = "02";

export function warning(kind: string, deviceId: string, message: string): InventoryWarning {
  return { kind, deviceId, message };
}

/** Doubts about these devices, and about what was found and left aside; at most 256. */
export function doubtsAbout(
  facts: MachineFacts,
  devices: readonly Device[],
): readonly InventoryWarning[] {
  const functions = new Map(facts.functions.map((fn) => [fn.address, fn]));
  const manyNodes = new Set(facts.functions.map((fn) => fn.numa).filter((n) => n >= 0)).size > 1;
  const groups = new Map<string, PciFunction[]>();
  for (const fn of facts.functions) {
    const group = groups.get(fn.iommuGroup) ?? [];
    groups.set(fn.iommuGroup, group);
    group.push(fn);
  }
  const doubts = devices.flatMap((device) => {
    const fn = functions.get(device.pciAddress);
    if (fn === undefined) return [];
    const given = [fn, ...fn.vfs.flatMap((address) => functions.get(address) ?? [])];
    return [
      ...doubtsOf(fn, device.deviceId, manyNodes),
      ...sharedGroup(given, groups, device.deviceId),
    ];
  });
  const names = new Map(devices.map(({ pciAddress, deviceId }) => [pciAddress, deviceId]));
  const odd = facts.oddities.map(({ kind, pciAddress, message }) => {
    const about = names.get(pciAddress) ?? "";
    const where = about === "" && pciAddress !== "" ? `${pciAddress}: ` : "";
    return warning(kind, about, `${where}${message}`);
  });
  return [...doubts, ...odd].slice(0, WARNINGS_MAX);
}

function doubtsOf(fn: PciFunction, deviceId: string, manyNodes: boolean): InventoryWarning[] {
  const doubts: [boolean, string, string][] = [
    [!fn.answers, "reads-ffff", "its registers read ones only: it is off the bus or dead"],
    [fn.numa < 0 && manyNodes, "numa-unknown", "the firmware does not tell its NUMA node"],
    [fn.iommuGroup === "", "no-iommu-group", "without an IOMMU group no guest can have it"],
    [fn.vfs.length !== fn.vfCount, "vf-count", vfCountText(fn)],
    [isDegraded(fn), "degraded-link", linkText(fn)],
  ];
  return doubts.flatMap(([holds, kind, text]) => (holds ? warning(kind, deviceId, text) : []));
}

// What a NIC gives to guests are its VFs; the physical function stays with the host, and its own
// VFs may share its group. Bridges are no functions and count for nobody.
function sharedGroup(
  given: readonly PciFunction[],
  groups: ReadonlyMap<string, readonly PciFunction[]>,
  deviceId: string,
): InventoryWarning[] {
  for (const { address, iommuGroup, pf, vfsMax } of given) {
    if (iommuGroup === "" || vfsMax > 0) continue;
    const mates = groups.get(iommuGroup) ?? [];
    const mate = mates.find((other) => other.address !== address && other.address !== pf);
    if (mate === undefined) continue;
    const text = `${address} shares IOMMU group ${iommuGroup} with ${mate.address}`;
    return [warning("iommu-group-shared", deviceId, text)];
  }
  return [];
}

function vfCountText({ vfCount, vfs }: PciFunction): string {
  return `says that it has ${vfCount} vfs and shows ${vfs.length}`;
}

// Lanes are lost for good; speed is lowered by idle GPUs to save power and is raised again.
function isDegraded({ classCode, linkSpeedGts, linkWidth, linkMax }: PciFunction): boolean {
  const narrow = linkWidth > 0 && linkWidth < linkMax.width;
  const slow = linkSpeedGts > 0 && linkSpeedGts < linkMax.speedGts;
  return narrow || (slow && classCode.startsWith(CLASS_NETWORK));
}

function linkText({ linkSpeedGts, linkWidth, linkMax }: PciFunction): string {
  const now = `${linkSpeedGts} GT/s x${linkWidth}`;
  return `its PCIe link runs at ${now} where ${linkMax.speedGts} GT/s x${linkMax.width} would do`;
}
