// VFs of a made-up NIC by the kernel's rules: made and destroyed all together, never from one
// number to another, each with a directory, an IOMMU group and settings that start empty.
import { existsSync, rmSync } from "node:fs";
import { join, posix } from "node:path";
import { release, setDriver, type WriteOutcome } from "./drivers.js";
import { firmwarePath, goneDir, type Machine, readJson, writeJson } from "./machine.js";
import {
  addFunction,
  directoryOf,
  functionsOnBus,
  get,
  hasAttribute,
  isOnBus,
  link,
  linkName,
  makeDir,
  put,
  removeFunction,
  unlink,
} from "./tree.js";

/** What a NIC keeps about one VF. */
export interface VfRecord {
  mac: string;
  vlan: number;
  maxTxRate: number;
  spoofCheck: boolean;
  trust: boolean;
  /** Absent: `auto`. */
  linkState?: string;
  /** Absent: 0. */
  minTxRate?: number;
}

const NO_MAC = "00:00:00:00:00:00";
/** Settings of a new VF of an InfiniBand NIC. */
const UNSET = [
  ["node", "00:00:00:00:00:00:00:00"],
  ["port", "00:00:00:00:00:00:00:00"],
  ["policy", "Down"],
] as const;
const FIRST_VF_GROUP = 1000;
const FUNCTIONS_PER_SLOT = 8;

/** A write to a function's `sriov_numvfs`. `inUse`: addresses that running guests hold. */
export function setNumVfs(
  machine: Machine,
  pf: { readonly address: string; readonly inUse: ReadonlySet<string> },
  count: number,
): WriteOutcome {
  const { root } = machine;
  const dir = directoryOf(root, pf.address);
  const present = Number(get(root, `${dir}/sriov_numvfs`));
  if (!Number.isInteger(count) || count < 0) return "EINVAL";
  if (count > Number(get(root, `${dir}/sriov_totalvfs`))) return "EINVAL";
  if (count === present) return "ok";
  if (count > 0 && present > 0) return "EBUSY";
  if (count === 0) {
    if (vfAddresses(machine, pf.address).some((vf) => pf.inUse.has(vf))) return "EBUSY";
    removeVfs(machine, pf.address);
    return "ok";
  }
  addVfs(machine, pf.address, count);
  return "ok";
}

/** Addresses of a function's VFs, in VF order. */
function vfAddresses({ root }: Machine, pfAddress: string): readonly string[] {
  const dir = directoryOf(root, pfAddress);
  const found: string[] = [];
  for (;;) {
    const vf = linkName(root, `${dir}/virtfn${found.length}`);
    if (vf === "") return found;
    found.push(vf);
  }
}

/** Destroys all VFs of a function with all their settings, half-made ones included. */
export function removeVfs(machine: Machine, pfAddress: string): void {
  const { root } = machine;
  const dir = directoryOf(root, pfAddress);
  const total = Number(get(root, `${dir}/sriov_totalvfs`));
  for (let vf = 0; vf < total; vf++) {
    const address = vfAddress(pfAddress, vf);
    if (isOnBus(root, address)) release(root, address);
    removeFunction(root, `${posix.dirname(dir)}/${address}`);
    unlink(root, `${dir}/virtfn${vf}`);
    rmSync(join(root, dir, "sriov", String(vf)), { recursive: true, force: true });
  }
  rmSync(firmwarePath(machine, pfAddress), { force: true });
  put(root, `${dir}/sriov_numvfs`, "0");
}

/** Takes one VF, or all, from the bus again; the count and the NIC itself say nothing of it. */
export function dropVfs(machine: Machine, pfAddress: string, only: number | undefined): void {
  const { root } = machine;
  const dir = directoryOf(root, pfAddress);
  const all = vfAddresses(machine, pfAddress);
  for (const [vf, address] of all.entries()) {
    if (only !== undefined && only !== vf) continue;
    release(root, address);
    removeFunction(root, `${posix.dirname(dir)}/${address}`);
    unlink(root, `${dir}/virtfn${vf}`);
  }
}

/**
 * Ends what a process killed in the middle of making or destroying VFs left half done: such a
 * function has none then.
 */
export function repairVfs(machine: Machine): void {
  const { root } = machine;
  const able = (address: string) =>
    hasAttribute(root, `${directoryOf(root, address)}/sriov_numvfs`);
  for (const pf of functionsOnBus(root).filter(able)) {
    const dir = directoryOf(root, pf);
    const count = Number(get(root, `${dir}/sriov_numvfs`));
    const total = Number(get(root, `${dir}/sriov_totalvfs`));
    const whole = Array.from({ length: total }, (_, vf) => {
      const address = vfAddress(pf, vf);
      const linked = linkName(root, `${dir}/virtfn${vf}`) !== "";
      const made = isOnBus(root, address) || existsSync(join(goneDir(machine), address));
      return linked === vf < count && made === vf < count;
    });
    if (whole.includes(false)) removeVfs(machine, pf);
  }
}

/** The VFs' settings as the NIC keeps them, in VF order. */
export function readVfRecords(machine: Machine, pfAddress: string): VfRecord[] {
  return readJson<VfRecord[]>(firmwarePath(machine, pfAddress)) ?? [];
}

export function writeVfRecords(
  machine: Machine,
  pfAddress: string,
  records: readonly VfRecord[],
): void {
  writeJson(firmwarePath(machine, pfAddress), records);
}

function addVfs(machine: Machine, pfAddress: string, count: number): void {
  const { root } = machine;
  const dir = directoryOf(root, pfAddress);
  const probed = get(root, `${dir}/sriov_drivers_autoprobe`) === "1";
  const numa = Number(get(root, `${dir}/numa_node`));
  const vendor = get(root, `${dir}/vendor`).slice(2);
  const device = get(root, `${dir}/sriov_vf_device`);
  const guids = hasAttribute(root, `${dir}/sriov`);
  for (let vf = 0; guids && vf < count; vf++) makeDir(root, `${dir}/sriov/${vf}`);
  for (let vf = 0; vf < count; vf++) {
    const address = vfAddress(pfAddress, vf);
    const vfDir = addFunction(root, {
      ...{ address, parent: dir.slice(0, dir.lastIndexOf("/")), numa, vendor, device },
      classCode: get(root, `${dir}/class`).slice(2),
      iommuGroup: vfGroup(address),
      attributes: { driver_override: "(null)", reset: "" },
      // The specification has a VF's own id registers read ffff; the kernel fills in the PF's.
      registers: { vendor: "ffff", device: "ffff" },
    });
    link(root, `${vfDir}/physfn`, dir);
    link(root, `${dir}/virtfn${vf}`, vfDir);
    if (probed) setDriver(root, { address, dir: vfDir }, "mlx5_core");
    if (guids) for (const [file, text] of UNSET) put(root, `${dir}/sriov/${vf}/${file}`, text);
  }
  const empty = { mac: NO_MAC, vlan: 0, maxTxRate: 0, spoofCheck: false, trust: false };
  writeVfRecords(
    machine,
    pfAddress,
    Array.from({ length: count }, () => empty),
  );
  put(root, `${dir}/sriov_numvfs`, String(count));
}

// Any number that no other function has will do; the kernel's are as arbitrary.
function vfGroup(address: string): number {
  return FIRST_VF_GROUP + Number.parseInt(address.replace(/[:.]/g, ""), 16);
}

// VFs follow their PF on its bus, eight functions to a slot.
function vfAddress(pfAddress: string, vf: number): string {
  const slot = Math.floor((vf + 1) / FUNCTIONS_PER_SLOT);
  const fn = (vf + 1) % FUNCTIONS_PER_SLOT;
  return `${pfAddress.slice(0, 8)}${slot.toString(16).padStart(2, "0")}.${fn}`;
}
