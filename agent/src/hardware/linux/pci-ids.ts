// Names of PCI vendors, devices and classes from the list that distributions install, for people to
// read. Nothing may be decided by a name.
import { join } from "node:path";
import { readText } from "./attributes.js";

const PLACES = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"];

export interface PciNames {
  /** `vendor device`, or the ids where the list has no name. */
  device(vendor: string, device: string): string;
  /** Of a class code's first four digits, or these digits. */
  kind(classCode: string): string;
}

/** The list below `root`; without one, ids stand for names. */
export function readPciNames(root: string): PciNames {
  const text = PLACES.map((place) => readText(join(root, place))).find((list) => list);
  return parsePciIds(text ?? "");
}

/** Reads pci.ids: vendors at the margin, devices one tab in, classes at the margin after a `C`. */
export function parsePciIds(text: string): PciNames {
  const names = new Map<string, string>();
  let above = "";
  for (const line of text.split("\n")) {
    const [, tab, list, id, name] = /^(\t?)(C )?([0-9a-f]{2,4}) {2}(.+)$/.exec(line) ?? [];
    if (id === undefined || name === undefined) continue;
    if (tab === "") above = `${list ?? ""}${id}`;
    names.set(tab === "" ? above : `${above}:${id}`, name);
  }
  return {
    device(vendor, device) {
      const maker = names.get(vendor);
      if (maker === undefined) return `${vendor}:${device}`;
      return `${maker} ${names.get(`${vendor}:${device}`) ?? device}`;
    },
    kind(classCode) {
      const [base, sub] = [classCode.slice(0, 2), classCode.slice(2, 4)];
      return names.get(`C ${base}:${sub}`) ?? names.get(`C ${base}`) ?? `class ${base}${sub}`;
    },
  };
}
