// Where the devices of a made-up machine sit: PCI addresses, interface names, permanent MACs and
// address ranges, all of which follow from indexes and the serial. Writes nothing.
import { createHash } from "node:crypto";
import type { Range } from "./models.js";

export const BUSES_PER_SWITCH = 0x10;
/** Within a switch's buses: the first below its downstream ports. */
export const FIRST_DEVICE_BUS = 6;
const BARS = 6;
const BAR_WIDTH = 2;
// include/linux/ioport.h: memory, 64-bit, prefetchable.
const FLAGS = 0x140204n;
const FLAG_PREFETCH = 0x2008n;
const NO_RANGE = [0n, 0n, 0n] as const;
/** A terabyte of addresses for every bus, above whatever memory there is. */
const WINDOW_BITS = 40n;
const FIRST_WINDOW = 0x100n;

/** Permanent MAC of one port; the same for the same serial, whatever the machine went through. */
export function permanentMac(serial: string, nic: number, port: number): string {
  const digest = createHash("sha256").update(`${serial} nic ${nic} port ${port}`).digest("hex");
  return `b8${digest.slice(0, 10)}`.replace(/..(?=.)/g, "$&:");
}

/** PCI address of a model's NIC, by its index. */
export function nicAddress(index: number): string {
  return pciAddress(BUSES_PER_SWITCH * (index + 1) + FIRST_DEVICE_BUS + nicPort(index), 0);
}

/** PCI address of a model's GPU, by its index. */
export function gpuAddress(index: number): string {
  return pciAddress(BUSES_PER_SWITCH * (index + 1) + FIRST_DEVICE_BUS + 1 - nicPort(index), 0);
}

/** Downstream port that a switch's NIC sits on; the GPU has the other of the first two. */
export function nicPort(index: number): number {
  return index % 2 === 0 ? 1 : 0;
}

/** Interface name of one port of the NIC at `address`. */
export function netdevName(address: string, port: number): string {
  return `enp${Number.parseInt(address.slice(5, 7), 16)}s0np${port}`;
}

export function pciAddress(bus: number, slot: number): string {
  return `0000:${hex(bus)}:${hex(slot)}.0`;
}

/** Two hexadecimal digits. */
export function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** What a VF set asks for: ranges of one VF, times how many. */
export interface SharedRanges {
  readonly ranges: readonly Range[];
  readonly vfs: number;
}

/**
 * The `resource` file of the function at `address`: six BARs, the ROM and, with `shared`, the six
 * ranges of its VFs.
 */
export function resourceText(
  address: string,
  ranges: readonly Range[],
  shared: SharedRanges = { ranges: [], vfs: 0 },
): string {
  let next = (FIRST_WINDOW + BigInt(`0x${address.slice(5, 7)}`)) << WINDOW_BITS;
  const lines = (wanted: readonly Range[], times: number) =>
    Array.from({ length: BARS }, (_, bar) => {
      const range = wanted[bar / BAR_WIDTH];
      if (range === undefined) return NO_RANGE;
      const bytes = BigInt(range.bytes) * BigInt(times);
      // Each range begins at a multiple of its size.
      const first = ((next + bytes - 1n) / bytes) * bytes;
      next = first + bytes;
      return [first, next - 1n, range.prefetchable ? FLAGS | FLAG_PREFETCH : FLAGS] as const;
    });
  const own = [...lines(ranges, 1), NO_RANGE];
  const all = [...own, ...(shared.vfs > 0 ? lines(shared.ranges, shared.vfs) : [])];
  return all.map((line) => line.map(word).join(" ")).join("\n");
}

function word(value: bigint): string {
  return `0x${value.toString(16).padStart(16, "0")}`;
}
