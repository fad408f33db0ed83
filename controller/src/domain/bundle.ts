// Which GPUs of a machine may be given away together. Sets are bit masks: bit m is the GPU of
// module number m. Knows nothing of what is free, nor of NICs.
import { NVSWITCH_MODULES, NVSWITCH_PARTITIONS } from "@railyard/lib/nvswitch";
import type { HardwareKind } from "./physical-cluster.js";

/** Machines with more GPUs than this are given whole or not at all: masks have 32 bits. */
export const MODULES_MAX = 30;

type Board = Pick<HardwareKind, "gpus" | "fabricManager" | "nvSwitch">;

/**
 * The legal sets of a machine of the kind, largest first. Behind NVSwitches anything smaller than
 * the whole needs a Fabric Manager on the host; without NVSwitches aligned powers of two are legal.
 */
export function legalSets(hardware: Board): readonly number[] {
  const key = `${hardware.gpus.count} ${hasNvSwitch(hardware)} ${hardware.fabricManager === true}`;
  const known = KNOWN.get(key) ?? setsOf(hardware);
  KNOWN.set(key, known);
  return known;
}

/** By the little that they follow from, so that alike machines share one list. */
const KNOWN = new Map<string, readonly number[]>();

function setsOf(hardware: Board): readonly number[] {
  const { count } = hardware.gpus;
  if (count === 0 || count > MODULES_MAX) return [];
  const whole = 2 ** count - 1;
  if (!hasNvSwitch(hardware)) return [whole, ...alignedSets(count)];
  if (!hardware.fabricManager || count !== NVSWITCH_MODULES) return [whole];
  return [whole, ...NVSWITCH_PARTITIONS.map(maskOf)];
}

/** Numbers of GPUs that an instance may have on a machine of the kind, largest first. */
export function legalSizes(hardware: Board): readonly number[] {
  return [...new Set(legalSets(hardware).map(sizeOf))];
}

/** How many members the set has. */
export function sizeOf(mask: number): number {
  let rest = mask;
  let size = 0;
  for (; rest !== 0; rest &= rest - 1) size += 1;
  return size;
}

/** The set of these numbers, each below MODULES_MAX. */
export function maskOf(members: readonly number[]): number {
  return members.reduce((mask, member) => mask | (1 << member), 0);
}

/** Hardware declared before it could be said has them. */
function hasNvSwitch({ nvSwitch }: Board): boolean {
  return nvSwitch !== false;
}

/** The numbers in the set, ascending. */
export function membersOf(mask: number): readonly number[] {
  return Array.from({ length: MODULES_MAX }, (_, n) => n).filter((n) => mask & (1 << n));
}

function alignedSets(count: number): readonly number[] {
  const out: number[] = [];
  for (let size = 16; size >= 1; size /= 2) {
    if (size >= count) continue;
    for (let at = 0; at + size <= count; at += size) out.push((2 ** size - 1) << at);
  }
  return out;
}
