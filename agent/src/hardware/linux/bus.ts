// Reads what stands on the PCI bus below a root, again and again. It remembers what cannot change
// while a function stays where it is; it must not know what a function is used for.
import { join } from "node:path";
import type { Oddity, PciFunction } from "../hardware.js";
import { readLink, readNames } from "./attributes.js";
import {
  functionOf,
  isBridge,
  isPciAddress,
  type Nature,
  PCI_DEVICES,
  quoted,
  readNature,
} from "./sysfs.js";

export interface Bus {
  /** Every PCI function except PCI-to-PCI bridges, in address order. */
  readonly functions: readonly PciFunction[];
  /** What was left aside, and why. */
  readonly oddities: readonly Oddity[];
}

/**
 * Each call reads the whole bus. A machine may have hundreds of VFs, of which only driver and
 * group ever change, so what a function is, is read once in its stay. Remembers as many entries as
 * were there last.
 */
export function busReader(root: string): () => Bus {
  let known: ReadonlyMap<string, Nature> = new Map();
  return () => {
    const seen = new Map<string, Nature>();
    const functions: PciFunction[] = [];
    const oddities: Oddity[] = [];
    for (const address of readNames(join(root, PCI_DEVICES))) {
      const nature = isPciAddress(address)
        ? readNature(root, address, known.get(address))
        : undefined;
      if (nature === undefined) oddities.push(...oddityOf(root, address));
      else seen.set(address, nature);
      if (nature && !isBridge(nature.is)) functions.push(functionOf(root, nature));
    }
    known = seen;
    return { functions, oddities };
  };
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
