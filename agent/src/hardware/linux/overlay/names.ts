// What a machine without SR-IOV is made to look like: one GPU and one NIC per rail below a switch
// of their own, at PCI addresses that no machine has. Pure names and shapes; nothing is read here.
import type { PciFunction } from "../../hardware.js";

/** No machine has that many PCI domains. */
const DEVICE_DOMAIN = "fa00";
const VF_DOMAIN = "fa01";
const ADDRESS = /^(fa0[01]):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/;
const GPU_SLOT = "04";
const NIC_SLOT = "05";
const FUNCTIONS_PER_SLOT = 8;
/** QEMU's `edu` device, which stands in for a GPU, and its network device. */
const STAND_IN = { vendor: "1234", device: "11e8" };
const NETWORK = { vendor: "1af4", device: "1041" };

export interface SoftDevice {
  readonly kind: "gpu" | "nic" | "vf";
  readonly rail: number;
  /** -1 for whole devices. */
  readonly vf: number;
}

export function gpuAddress(rail: number): string {
  return `${DEVICE_DOMAIN}:${hex(rail)}:${GPU_SLOT}.0`;
}

export function nicAddress(rail: number): string {
  return `${DEVICE_DOMAIN}:${hex(rail)}:${NIC_SLOT}.0`;
}

export function vfAddress(rail: number, vf: number): string {
  const slot = hex(Math.floor(vf / FUNCTIONS_PER_SLOT));
  return `${VF_DOMAIN}:${hex(rail)}:${slot}.${vf % FUNCTIONS_PER_SLOT}`;
}

/** What an address stands for; undefined when it is a real one. */
export function softDeviceAt(address: string): SoftDevice | undefined {
  const [, domain, bus, slot, number] = ADDRESS.exec(address) ?? [];
  if (!domain || !bus || !slot || !number) return undefined;
  const rail = Number.parseInt(bus, 16);
  if (domain === VF_DOMAIN) {
    const vf = Number.parseInt(slot, 16) * FUNCTIONS_PER_SLOT + Number(number);
    return { kind: "vf", rail, vf };
  }
  if (address === gpuAddress(rail)) return { kind: "gpu", rail, vf: -1 };
  return address === nicAddress(rail) ? { kind: "nic", rail, vf: -1 } : undefined;
}

/** The interface that a VF is. */
export function tapName(rail: number, vf: number): string {
  return `ry${rail}v${vf}`;
}

/** What a rail's TAP is called until it can be used as a VF. */
export function draftName(rail: number): string {
  return `ry${rail}draft`;
}

/** Which VF of the rail an interface is; undefined for any other. */
export function vfOfTap(rail: number, name: string): number | undefined {
  const [, found, vf] = /^ry(\d+)v(\d+)$/.exec(name) ?? [];
  return Number(found) === rail && vf !== undefined ? Number(vf) : undefined;
}

/** One bridge per rail. */
export function bridgeName(rail: number): string {
  return `ryr${rail}`;
}

/** One tunnel per rail and cluster network. */
export function tunnelName(rail: number, vni: number): string {
  return `ryx${rail}-${vni.toString(16)}`;
}

/** A whole device as a PCI function. */
export function softFunction(
  device: SoftDevice,
  state: Pick<PciFunction, "driver" | "vfsMax" | "vfs">,
): PciFunction {
  const { kind, rail, vf } = device;
  const at = (slot: number) => `${DEVICE_DOMAIN}:${hex(rail)}:${hex(slot)}.0`;
  const path = [at(0), at(1), at(kind === "gpu" ? 2 : 3)];
  const address = {
    gpu: gpuAddress(rail),
    nic: nicAddress(rail),
    vf: vfAddress(rail, vf),
  }[kind];
  return {
    address,
    ...(kind === "gpu" ? STAND_IN : NETWORK),
    classCode: kind === "gpu" ? "030200" : "020000",
    numa: -1,
    iommuGroup: address,
    path,
    ...state,
    vfCount: state.vfs.length,
    pf: kind === "vf" ? nicAddress(rail) : undefined,
    linkSpeedGts: 0,
    linkWidth: 0,
    linkMax: { speedGts: 0, width: 0 },
    bars: [],
    vfBars: [],
    answers: true,
  };
}

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}
