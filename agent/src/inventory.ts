// What this machine has, decided from what was read: which functions are GPUs and NICs, what they
// are called, and which belong together. Pure; it must not know where the facts came from.
import type { MachineFacts, NetInterface, PciFunction } from "./hardware/hardware.js";
import type { DeviceId, Gpu, Inventory, InventoryWarning, Nic, Pair } from "./model.js";

/** Which PCI functions count as what. */
export interface Selectors {
  /**
   * `vendor:device` in lower-case hexadecimal; `*` stands for any. A selector with `*` takes only
   * 3D controllers (class 0302), an exact one takes the function whatever its class.
   */
  readonly gpus: readonly string[];
}

const DEFAULT_SELECTORS: Selectors = { gpus: ["10de:*"] };

const CLASS_3D = "0302";
const CLASSES_NIC = ["0200", "0207"];
/** Root port and upstream port: fewer common bridges than that are no common switch. */
const COMMON_BRIDGES_MIN = 2;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const SERIAL_PLACEHOLDERS = [
  /^(n\/?a|none|null|unknown|default string|not (specified|applicable|available))$/i,
  /^((system|chassis)?[ _-]?serial[ _-]?(number|no)|to be filled.*|0?123456789)$/i,
  /^[0.x*-]*$/i,
];

/** A device together with the function it was found as. */
interface Found<Device> {
  readonly device: Device;
  readonly path: readonly string[];
}

/** What the machine has. The same facts give the same inventory, warnings included. */
export function inventoryOf(
  facts: MachineFacts,
  selectors: Selectors = DEFAULT_SELECTORS,
): Inventory {
  const gpus = facts.functions.filter((fn) => isGpu(fn, selectors)).map(foundGpu);
  const nics = findNics(facts);
  const paired = pairUp(gpus, nics.found);
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
    gpus: gpus.map(({ device }) => device).sort(byDeviceId),
    nics: nics.found.map(({ device }) => device).sort(byDeviceId),
    pairs: paired.pairs,
    warnings: [...(serial === "" ? [unnamed] : []), ...nics.warnings, ...paired.warnings],
  };
}

function realSerial(serial: string): string {
  return SERIAL_PLACEHOLDERS.some((pattern) => pattern.test(serial)) ? "" : serial;
}

function isGpu(fn: PciFunction, { gpus }: Selectors): boolean {
  return gpus.some((selector) => {
    const [vendor, device] = selector.split(":");
    if (vendor === fn.vendor && device === fn.device) return true;
    const any = (wanted: string | undefined, has: string) => wanted === "*" || wanted === has;
    return fn.classCode.startsWith(CLASS_3D) && any(vendor, fn.vendor) && any(device, fn.device);
  });
}

function foundGpu(fn: PciFunction): Found<Gpu> {
  const { address, numa, path } = fn;
  const device = { deviceId: `gpu-${address}`, pciAddress: address, pciId: pciId(fn), numa };
  return { device, path };
}

function findNics(facts: MachineFacts): {
  readonly found: readonly Found<Nic>[];
  readonly warnings: readonly InventoryWarning[];
} {
  const interfaces = new Map(facts.interfaces.map((one) => [one.pciAddress, one]));
  const functions = facts.functions.filter(isNic);
  const macs = functions.map((fn) => interfaces.get(fn.address)?.permanentMac ?? "");
  const warnings: InventoryWarning[] = [];
  const found = functions.map((fn, index) => {
    const mac = macs[index] ?? "";
    const problem = macProblem(mac, macs);
    const deviceId = problem ? `nic-${fn.address}` : `nic-${mac.replaceAll(":", "")}`;
    if (problem) warnings.push(warning(problem, deviceId, `named by slot, its MAC is "${mac}"`));
    return { device: nicOf(fn, deviceId, interfaces.get(fn.address)), path: fn.path };
  });
  return { found, warnings };
}

function isNic(fn: PciFunction): boolean {
  const network = CLASSES_NIC.some((code) => fn.classCode.startsWith(code));
  return network && fn.pf === undefined && fn.vfsMax > 0;
}

// Boards with unprogrammed memory show zeros, ones, a text, or all the same address.
function macProblem(mac: string, all: readonly string[]): string | undefined {
  const group = Number.parseInt(mac.slice(0, 2), 16) & 1;
  if (!MAC.test(mac) || mac === "00:00:00:00:00:00" || group) return "placeholder-mac";
  return all.filter((other) => other === mac).length > 1 ? "duplicate-mac" : undefined;
}

function nicOf(fn: PciFunction, deviceId: DeviceId, seen: NetInterface | undefined): Nic {
  return {
    deviceId,
    pciAddress: fn.address,
    pciId: pciId(fn),
    numa: fn.numa,
    pfName: seen?.name ?? "",
    permanentMac: seen?.permanentMac ?? "",
    speedGbps: Math.floor((seen?.speedMbps ?? 0) / 1000),
    vfsMax: fn.vfsMax,
    ports: seen?.ports ?? [],
  };
}

// A pair is a GPU and a NIC that are each other's only nearest: address order, NUMA node and root
// port each put wrong ones together on some machine.
function pairUp(
  gpus: readonly Found<Gpu>[],
  nics: readonly Found<Nic>[],
): { readonly pairs: readonly Pair[]; readonly warnings: readonly InventoryWarning[] } {
  const pairs = gpus.flatMap((gpu) => {
    const [nic, ...others] = nearest(gpu, nics);
    if (nic === undefined || others.length > 0) return [];
    const back = nearest(nic, gpus);
    const mutual = back.length === 1 && back[0] === gpu;
    return mutual ? [{ gpu: gpu.device.deviceId, nic: nic.device.deviceId }] : [];
  });
  const taken = new Set(pairs.flatMap(({ gpu, nic }) => [gpu, nic]));
  const alone = [
    ...gpus.map((gpu) => ({ id: gpu.device.deviceId, near: nearest(gpu, nics).length })),
    ...nics.map((nic) => ({ id: nic.device.deviceId, near: nearest(nic, gpus).length })),
  ].filter(({ id }) => !taken.has(id));
  return {
    pairs: [...pairs].sort((a, b) => (a.gpu < b.gpu ? -1 : Number(a.gpu > b.gpu))),
    warnings: alone.map(({ id, near }) =>
      near === 0
        ? warning("no-common-switch", id, "no device to pair it with below a common PCIe switch")
        : warning("ambiguous-switch", id, "the nearest PCIe switch does not give one partner"),
    ),
  };
}

// All that share the longest path of bridges with `one`; none when that is no switch.
function nearest<Other>(
  one: Found<unknown>,
  others: readonly Found<Other>[],
): readonly Found<Other>[] {
  const shared = others.map((other) => commonLength(one.path, other.path));
  const most = Math.max(COMMON_BRIDGES_MIN, ...shared);
  return others.filter((_, index) => shared[index] === most);
}

function commonLength(a: readonly string[], b: readonly string[]): number {
  const differs = a.findIndex((bridge, index) => bridge !== b[index]);
  return differs === -1 ? a.length : differs;
}

function countNuma(functions: readonly PciFunction[]): number {
  return Math.max(1, new Set(functions.map((fn) => fn.numa).filter((numa) => numa >= 0)).size);
}

function pciId(fn: PciFunction): string {
  return `${fn.vendor}:${fn.device}`;
}

function byDeviceId(a: { readonly deviceId: string }, b: { readonly deviceId: string }): number {
  return a.deviceId < b.deviceId ? -1 : Number(a.deviceId > b.deviceId);
}

function warning(kind: string, deviceId: string, message: string): InventoryWarning {
  return { kind, deviceId, message };
}
