// What this machine has, decided from what was read: which functions are GPUs, NICs and NVSwitches,
// and what they are called. Pure; it must not know where the facts came from.
import type { MachineFacts, PciFunction } from "./hardware/hardware.js";
import { deviceOf, linkedDeviceOf, realSerial } from "./inventory/devices.js";
import { findNics } from "./inventory/nics.js";
import { pairUp } from "./inventory/pairs.js";
import { partitioned } from "./inventory/partitions.js";
import { doubtsAbout, warning } from "./inventory/warnings.js";
import type { Gpu, Inventory } from "./model.js";

/** Which PCI functions count as what. */
export interface Selectors {
  /**
   * `vendor:device` in lower-case hexadecimal; `*` stands for any. A selector with `*` takes only
   * 3D controllers (class 0302), an exact one takes the function whatever its class.
   */
  readonly gpus: readonly string[];
}

export const DEFAULT_SELECTORS: Selectors = { gpus: ["10de:*"] };

const SELECTOR = /^(\*|[0-9a-f]{4}):(\*|[0-9a-f]{4})$/;
const CLASS_3D = "0302";
/** Bridges of the class "other", which NVSwitches are. */
const NV_SWITCH = { vendor: "10de", classCode: "0680" };

/** True for `vendor:device` as `Selectors` has it. */
export function isSelector(text: string): boolean {
  return SELECTOR.test(text);
}

/** What the machine has. The same facts give the same inventory, warnings included. */
export function inventoryOf(
  facts: MachineFacts,
  selectors: Selectors = DEFAULT_SELECTORS,
): Inventory {
  const physical = facts.functions.filter((fn) => fn.pf === undefined);
  const gpus = physical.filter((fn) => isGpu(fn, selectors)).map(gpuOf);
  const found = findNics(facts);
  const { nics } = found;
  const nvSwitches = physical
    .filter(isNvSwitch)
    .map((fn) => deviceOf(fn, `nvswitch-${fn.address}`));
  const paired = pairUp(gpus, nics);
  const parted = partitioned(facts, gpus);
  const serial = realSerial(facts.serial.trim());
  const unnamed = warning(
    "placeholder-serial",
    "",
    `the machine calls its serial "${facts.serial.slice(0, 40)}"`,
  );
  return {
    serial,
    bootId: facts.bootId,
    numaCount: countNuma(facts.functions),
    vcpu: facts.cpus,
    memoryMib: facts.memoryMib,
    diskGib: facts.diskGib,
    gpus: [...parted.gpus].sort(byDeviceId),
    nics: [...nics].sort(byDeviceId),
    nvSwitches,
    fabricManager: facts.fabricManager,
    ...(parted.partitions && { partitions: parted.partitions }),
    pairs: paired.pairs,
    warnings: [
      ...(serial === "" ? [unnamed] : []),
      ...found.warnings,
      ...paired.warnings,
      ...parted.warnings,
      ...doubtsAbout(facts, [...gpus, ...nics, ...nvSwitches]),
    ],
  };
}

function isGpu(fn: PciFunction, { gpus }: Selectors): boolean {
  return gpus.some((selector) => {
    const [vendor, device] = selector.split(":");
    if (vendor === fn.vendor && device === fn.device) return true;
    const any = (wanted: string | undefined, has: string) => wanted === "*" || wanted === has;
    return fn.classCode.startsWith(CLASS_3D) && any(vendor, fn.vendor) && any(device, fn.device);
  });
}

function gpuOf(fn: PciFunction): Gpu {
  return linkedDeviceOf(fn, `gpu-${fn.address}`);
}

function isNvSwitch({ vendor, classCode }: PciFunction): boolean {
  return vendor === NV_SWITCH.vendor && classCode.startsWith(NV_SWITCH.classCode);
}

function countNuma(functions: readonly PciFunction[]): number {
  return Math.max(1, new Set(functions.map((fn) => fn.numa).filter((numa) => numa >= 0)).size);
}

function byDeviceId(a: { readonly deviceId: string }, b: { readonly deviceId: string }): number {
  return a.deviceId < b.deviceId ? -1 : Number(a.deviceId > b.deviceId);
}
