// Turns PCI functions into devices: address, link, ranges. Knows neither kinds of devices nor their
// names.
import type { Bar, PciFunction } from "../hardware/hardware.js";
import type { Device, LinkedDevice } from "../model.js";

const SERIAL_PLACEHOLDERS = [
  /^(n\/?a|none|null|unknown|default string|not (specified|applicable|available))$/i,
  /^((system|chassis|board)?[ _-]?serial[ _-]?(number|no)|to be filled.*|0?123456789)$/i,
  /^[0.x*-]*$/i,
];

/** A function under the name that it is to have. */
export function deviceOf(fn: PciFunction, deviceId: string): Device {
  const { address, vendor, device, numa, path } = fn;
  return { deviceId, pciAddress: address, pciId: `${vendor}:${device}`, numa, path };
}

/** The same with its link and ranges. */
export function linkedDeviceOf(fn: PciFunction, deviceId: string): LinkedDevice {
  return {
    ...deviceOf(fn, deviceId),
    linkSpeedGts: fn.linkMax.speedGts || fn.linkSpeedGts,
    linkWidth: fn.linkMax.width || fn.linkWidth,
    barBytes: highBytes(fn.bars),
  };
}

/** Bytes of the ranges that go into the 64-bit prefetchable window. */
export function highBytes(bars: readonly Bar[]): number {
  const high = bars.filter((bar) => bar.wide && bar.prefetchable);
  return high.reduce((sum, bar) => sum + bar.bytes, 0);
}

/** The serial as it stands; empty for what firmware says where nobody set one. */
export function realSerial(serial: string): string {
  return SERIAL_PLACEHOLDERS.some((pattern) => pattern.test(serial)) ? "" : serial;
}
