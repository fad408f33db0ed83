// Reads what PCIe itself tells of a function: its link, its address ranges, its vital product data,
// and whether it answers at all. Knows the kernel's formats, not what the function is.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, withDeadline } from "@railyard/lib/clock";
import type { Bar, PcieLink } from "../hardware.js";
import { readBytes, readNumber, readText } from "./attributes.js";

const CONFIG_HEADER_BYTES = 64;
const BARS = 6;
/** Lines of a `resource` file: six BARs, the ROM, then the six ranges that all VFs share. */
const FIRST_VF_LINE = 7;
// include/linux/ioport.h
const IORESOURCE_MEM = 0x200n;
const IORESOURCE_PREFETCH = 0x2000n;
const IORESOURCE_MEM_64 = 0x10_0000n;
const RANGE = /^(0x[0-9a-f]{1,16}) (0x[0-9a-f]{1,16}) (0x[0-9a-f]{1,16})$/i;

/** The link of the function in `dir` as it is now. */
export function readLinkNow(dir: string): PcieLink {
  return {
    speedGts: gts(readText(join(dir, "current_link_speed"))),
    width: readNumber(join(dir, "current_link_width"), 0),
  };
}

/**
 * The most that the function in `dir` and the port above it (`parent`) can do together, as NCCL
 * reads it too (src/graph/xml.cc); what only one of them tells is taken from that one.
 */
export function readLinkMax(dir: string, parent: string | undefined): PcieLink {
  const ends = [dir, ...(parent === undefined ? [] : [parent])];
  const least = (values: readonly number[]) => {
    const known = values.filter((value) => value > 0);
    return known.length === 0 ? 0 : Math.min(...known);
  };
  return {
    speedGts: least(ends.map((end) => gts(readText(join(end, "max_link_speed"))))),
    width: least(ends.map((end) => readNumber(join(end, "max_link_width"), 0))),
  };
}

/** The function's own ranges and those of one VF, of `vfsMax` that share what is set aside. */
export function readBars(
  dir: string,
  vfsMax: number,
): { readonly bars: readonly Bar[]; readonly vfBars: readonly Bar[] } {
  const lines = (readText(join(dir, "resource")) ?? "").split("\n");
  const shared = vfsMax > 0 ? lines.slice(FIRST_VF_LINE, FIRST_VF_LINE + BARS) : [];
  return {
    bars: lines.slice(0, BARS).flatMap((line) => bar(line, 1)),
    vfBars: shared.flatMap((line) => bar(line, vfsMax)),
  };
}

/** False when the registers of the function in `dir` read ones only; one without is believed. */
export function readAnswers(dir: string): boolean {
  const header = readBytes(join(dir, "config"))?.subarray(0, CONFIG_HEADER_BYTES);
  return header === undefined || header.length === 0 || header.some((byte) => byte !== 0xff);
}

/**
 * Serial of the board that carries the function in `dir`; empty when the vital product data are
 * absent, malformed or do not tell it. Slow on real devices, so it is read aside and once. Errors:
 * `deadline`.
 */
export async function readBoardSerial(
  clock: Clock,
  dir: string,
  deadlineMs: number,
): Promise<string> {
  // Absent, or not ours to read: without privileges the kernel hides it.
  const data = readFile(join(dir, "vpd")).catch(() => Buffer.alloc(0));
  const limit = { ms: deadlineMs, what: `vital product data of ${dir}` };
  return serialIn(await withDeadline(clock, limit, data));
}

const LARGE_RESOURCE = 0x80;
const READ_ONLY_FIELDS = 0x90;

/** The `SN` field of vital product data (PCI Local Bus Specification 3.0, appendix I). */
export function serialIn(data: Buffer): string {
  for (let at = 0; at + 3 <= data.length; ) {
    const tag = data.readUInt8(at);
    if ((tag & LARGE_RESOURCE) === 0) return "";
    const length = data.readUInt16LE(at + 1);
    if (tag === READ_ONLY_FIELDS) return fieldIn(data.subarray(at + 3, at + 3 + length), "SN");
    at += 3 + length;
  }
  return "";
}

function fieldIn(fields: Buffer, keyword: string): string {
  for (let at = 0; at + 3 <= fields.length; ) {
    const length = fields.readUInt8(at + 2);
    const value = fields.subarray(at + 3, at + 3 + length);
    if (fields.toString("latin1", at, at + 2) === keyword) return printable(value);
    at += 3 + length;
  }
  return "";
}

function printable(value: Buffer): string {
  return value
    .toString("latin1")
    .replace(/[^ -~]/g, "")
    .trim();
}

function gts(text: string | undefined): number {
  return Number(/^([\d.]{1,5}) GT\/s/.exec(text ?? "")?.[1] ?? 0);
}

function bar(line: string, shares: number): readonly Bar[] {
  const [, first, last, flagText] = RANGE.exec(line.trim()) ?? [];
  if (first === undefined || last === undefined || flagText === undefined) return [];
  const flags = BigInt(flagText);
  if ((flags & IORESOURCE_MEM) === 0n || BigInt(last) <= BigInt(first)) return [];
  return [
    {
      bytes: Math.floor(Number(BigInt(last) - BigInt(first) + 1n) / shares),
      wide: (flags & IORESOURCE_MEM_64) !== 0n,
      prefetchable: (flags & IORESOURCE_PREFETCH) !== 0n,
    },
  ];
}
