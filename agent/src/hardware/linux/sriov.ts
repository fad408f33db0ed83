// Makes and destroys the VFs of one physical function. It knows neither who uses them nor their
// settings.
import { join } from "node:path";
import { invalidField, refuse } from "@railyard/lib/errors";
import { readText } from "./attributes.js";
import type { Outside } from "./outside.js";
import { isPciAddress, PCI_DEVICES, readFunction } from "./sysfs.js";

/**
 * Sets the number of VFs and checks that so many stand. Drivers are kept off new VFs, since an
 * address set after a driver is bound stays unseen by it. Errors: see `Hardware`.
 */
export async function setVfCount(
  outside: Outside,
  pf: { readonly address: string; readonly deadlineMs: number },
  count: number,
): Promise<void> {
  const { address, deadlineMs } = pf;
  if (!isPciAddress(address)) throw invalidField("pfAddress", "must be dddd:bb:dd.f");
  const before = readFunction(outside.root, address);
  if (before === undefined) throw refuse("unavailable", `pci function ${address} is gone`);
  if (!Number.isInteger(count) || count < 0 || count > before.vfsMax) {
    throw invalidField("count", `must be a whole number from 0 to ${before.vfsMax}`);
  }
  const autoprobe = `${PCI_DEVICES}/${address}/sriov_drivers_autoprobe`;
  if (count > 0 && readText(join(outside.root, autoprobe)) === "1") {
    await outside.write(autoprobe, "0", deadlineMs);
  }
  const number = `${PCI_DEVICES}/${address}/sriov_numvfs`;
  // Fewer stand than the kernel counts: asked for the same number again, it would do nothing.
  if (count > 0 && before.vfs.length < before.vfCount) await outside.write(number, "0", deadlineMs);
  await outside.write(number, String(count), deadlineMs);
  const stand = readFunction(outside.root, address)?.vfs.length ?? 0;
  if (stand !== count) {
    throw refuse("unavailable", `pci function ${address} has ${stand} vfs instead of ${count}`);
  }
}
