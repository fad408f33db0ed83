// Which driver holds which function, by the kernel's rules: one driver at a time, vfio-pci only
// where an override says so, and no letting go of what a running guest holds.
import { DRIVERS, directoryOf, get, isOnBus, link, linkName, put, unlink } from "./tree.js";

/** What the kernel answers a write with: nothing, an errno, or never. */
export type WriteOutcome = "ok" | "hang" | "EBUSY" | "EINVAL" | "ENODEV" | "EACCES";

/** Links a function and its driver, without any check. The function's own link is what counts. */
export function setDriver(
  root: string,
  fn: { readonly address: string; readonly dir: string },
  driver: string,
): void {
  unlink(root, `${DRIVERS}/${driver}/${fn.address}`);
  link(root, `${DRIVERS}/${driver}/${fn.address}`, fn.dir);
  link(root, `${fn.dir}/driver`, `${DRIVERS}/${driver}`);
}

/** The driver that holds a function; empty when none does. */
export function driverOf(root: string, address: string): string {
  return linkName(root, `${directoryOf(root, address)}/driver`);
}

/** A write to `/sys/bus/pci/drivers/<driver>/bind`. */
export function bind(root: string, driver: string, address: string): WriteOutcome {
  if (!isOnBus(root, address)) return "ENODEV";
  const dir = directoryOf(root, address);
  if (driverOf(root, address) !== "") return "EBUSY";
  if (driver === "vfio-pci" && get(root, `${dir}/driver_override`) !== driver) return "ENODEV";
  if (driver === "vfio-pci" && linkName(root, `${dir}/iommu_group`) === "") return "EINVAL";
  setDriver(root, { address, dir }, driver);
  return "ok";
}

/**
 * A write to `/sys/bus/pci/drivers/<driver>/unbind`. vfio-pci waits until whoever uses the function
 * lets go of it, however long that takes.
 */
export function unbind(
  root: string,
  held: { readonly driver: string; readonly address: string },
  inUse: boolean,
): WriteOutcome {
  const { driver, address } = held;
  if (!isOnBus(root, address) || driverOf(root, address) !== driver) return "ENODEV";
  if (driver === "vfio-pci" && inUse) return "hang";
  release(root, address);
  return "ok";
}

/** Takes any driver away from a function that is going, or may go. */
export function release(root: string, address: string): void {
  const dir = directoryOf(root, address);
  const driver = linkName(root, `${dir}/driver`);
  if (driver === "") return;
  unlink(root, `${dir}/driver`);
  unlink(root, `${DRIVERS}/${driver}/${address}`);
}

/** A write to a function's `driver_override`. */
export function overrideDriver(root: string, address: string, value: string): WriteOutcome {
  put(root, `${directoryOf(root, address)}/driver_override`, value.trim() || "(null)");
  return "ok";
}
