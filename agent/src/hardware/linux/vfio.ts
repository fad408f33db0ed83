// Hands PCI functions to vfio-pci and takes them back. Each step is looked at before it is done, so
// that a call that was cut off can be repeated.
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { invalidField, refuse } from "@railyard/lib/errors";
import type { PciFunction } from "../hardware.js";
import { readBytes, readNames } from "./attributes.js";
import type { Outside } from "./outside.js";
import { BRIDGE_CLASS, isPciAddress, PCI_DEVICES, PCI_DRIVERS, readFunction } from "./sysfs.js";

const VFIO = "vfio-pci";
/** A newline takes the override back. */
const NO_OVERRIDE = "\n";
const CONFIG_HEADER_BYTES = 64;
/** Of opening a device node: it is not there, or leads to no device any more. */
const NO_NODE = ["ENOENT", "ENODEV", "ENXIO"];

/**
 * Whether an IOMMU group must hold one function alone (`strict`), or may hold several that go to
 * one guest together (`shared`); the kernel lets no two processes have one group.
 */
export type IommuRule = "strict" | "shared";

export interface VfioLimits {
  readonly deadlineMs: number;
  readonly iommu: IommuRule;
}

/**
 * Binds a function to vfio-pci, away from any other driver. One that could not be had back clean is
 * refused, and under the strict rule one that shares its IOMMU group with anything but its own
 * physical function. Errors: see `Hardware`.
 */
export async function bindVfio(
  outside: Outside,
  address: string,
  { deadlineMs, iommu }: VfioLimits,
): Promise<void> {
  const found = present(outside, address);
  if (found.driver === VFIO) return;
  if (found.iommuGroup === "") {
    throw refuse("unavailable", `pci function ${address} has no iommu group`);
  }
  const other = iommu === "strict" ? groupMates(outside, found)[0] : undefined;
  if (other !== undefined) {
    throw refuse("unavailable", `pci function ${address} shares its iommu group with ${other}`);
  }
  checkResettable(outside, address);
  await outside.write(`${PCI_DEVICES}/${address}/driver_override`, VFIO, deadlineMs);
  if (found.driver !== "") {
    await outside.write(`${PCI_DRIVERS}/${found.driver}/unbind`, address, deadlineMs);
  }
  await outside.write(`${PCI_DRIVERS}/${VFIO}/bind`, address, deadlineMs);
  const driver = present(outside, address).driver;
  if (driver !== VFIO) {
    throw refuse("unavailable", `pci function ${address} is bound to ${driver || "nothing"}`);
  }
}

/**
 * Makes sure that nobody has the function, resets it, checks that it answers, and only then takes
 * it from vfio-pci: one that does not get that far still shows that it is in use. Errors: see
 * `Hardware`.
 */
export async function unbindVfio(
  outside: Outside,
  address: string,
  deadlineMs: number,
): Promise<void> {
  const { driver, iommuGroup } = present(outside, address);
  if (driver === VFIO && isGroupOpen(outside, iommuGroup)) {
    throw refuse("unavailable", `iommu group ${iommuGroup} of ${address} is still in use`);
  }
  checkResettable(outside, address);
  await outside.write(`${PCI_DEVICES}/${address}/reset`, "1", deadlineMs);
  if (!answers(join(outside.root, PCI_DEVICES, address, "config"))) {
    throw refuse("unavailable", `pci function ${address} does not answer: it reads ffff`);
  }
  await outside.write(`${PCI_DEVICES}/${address}/driver_override`, NO_OVERRIDE, deadlineMs);
  if (driver === VFIO) await outside.write(`${PCI_DRIVERS}/${VFIO}/unbind`, address, deadlineMs);
  if (present(outside, address).driver === VFIO) {
    throw refuse("unavailable", `pci function ${address} is still bound to ${VFIO}`);
  }
}

/**
 * Throws `unavailable` where the kernel knows no way to reset this one function, which then has no
 * attribute for it: what one guest left in it would go to the next.
 */
function checkResettable({ root }: Outside, address: string): void {
  if (readNames(join(root, PCI_DEVICES, address)).includes("reset")) return;
  throw refuse(
    "unavailable",
    `pci function ${address} cannot be reset: the kernel knows no way to`,
  );
}

function present(outside: Outside, address: string): PciFunction {
  if (!isPciAddress(address)) throw invalidField("pciAddress", "must be dddd:bb:dd.f");
  const found = readFunction(outside.root, address);
  if (found === undefined) throw refuse("unavailable", `pci function ${address} is gone`);
  return found;
}

/** What else is in a function's IOMMU group; bridges and its own physical function do not count. */
export function groupMates(outside: Outside, found: PciFunction): readonly string[] {
  const dir = join(outside.root, PCI_DEVICES, found.address, "iommu_group", "devices");
  return readNames(dir).filter((address) => {
    if (address === found.address || address === found.pf) return false;
    const mate = readFunction(outside.root, address);
    return mate !== undefined && !mate.classCode.startsWith(BRIDGE_CLASS);
  });
}

/**
 * Whether a process has the group, as whoever maps a function of it does: it opens only once.
 * Throws `unavailable` when it cannot be told: a group that is not ours to open may be anybody's.
 */
function isGroupOpen(outside: Outside, group: string): boolean {
  try {
    closeSync(openSync(join(outside.root, "/dev/vfio", group), "r+"));
    return false;
  } catch (thrown) {
    const { code = "" } = thrown as NodeJS.ErrnoException;
    if (code === "EBUSY") return true;
    if (NO_NODE.includes(code)) return false;
    const said = `whether iommu group ${group} is in use cannot be told: ${code}`;
    throw refuse("unavailable", said, { cause: thrown });
  }
}

// A VF's vendor and device registers read ffff by specification, so the whole header is looked at.
function answers(configPath: string): boolean {
  const header = readBytes(configPath)?.subarray(0, CONFIG_HEADER_BYTES);
  return header?.some((byte) => byte !== 0xff) ?? false;
}
