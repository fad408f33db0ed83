// How much address space above 4 GiB the BARs of a tree need once bridges have rounded them up.
// Arithmetic only.
import { isSwitch, type Leaf, type Switch } from "./tree.js";

/** A bridge forwards whole mebibytes (PCI-to-PCI Bridge Architecture 1.2, §3.2.5.10). */
const GRANULE = 2 ** 20;
/** Room for the BARs of disks and VPC NICs, which firmware puts into the same window. */
const OWN_BYTES = 2 ** 30;
/** What OVMF and QEMU open by default; less would take room from nobody. */
const WINDOW_BYTES_MIN = 2 ** 35;

interface Window {
  readonly bytes: number;
  readonly align: number;
}

/**
 * Size of the window for all of it and the guest's other devices, bytes, a power of two. Every
 * bridge rounds what is below it up to the alignment of its largest part, as SeaBIOS does; firmware
 * that packs closer needs less.
 */
export function mmioWindow(tree: ReadonlyMap<number, Switch<Leaf>>): number {
  const { bytes } = joined([...tree.values()].map(windowOf));
  return Math.max(WINDOW_BYTES_MIN, powerAtLeast(bytes + OWN_BYTES));
}

function windowOf(node: Switch<Leaf> | Leaf): Window {
  if (isSwitch(node)) return joined(node.children.map(windowOf));
  // Behind its own port; the largest of its BARs is at most this, and a power of two.
  const align = node.bytes === 0 ? GRANULE : Math.max(GRANULE, powerAtMost(node.bytes));
  return { bytes: roundUp(node.bytes, align), align };
}

function joined(parts: readonly Window[]): Window {
  const align = Math.max(GRANULE, ...parts.map((p) => p.align));
  const sum = parts.reduce((total, { bytes }) => total + bytes, 0);
  return { bytes: roundUp(sum, align), align };
}

function roundUp(bytes: number, align: number): number {
  return Math.ceil(bytes / align) * align;
}

function powerAtMost(bytes: number): number {
  const power = powerAtLeast(bytes);
  return power > bytes ? power / 2 : power;
}

function powerAtLeast(bytes: number): number {
  let power = 1;
  while (power < bytes) power *= 2;
  return power;
}
