// The hardware contract: what the agent may ask of a machine. Each call does one thing, within a
// deadline, and returns what was read, never what was asked for. linux/ implements it over files
// and outside tools; fake/ puts a made-up machine below linux/.
import type { GuestSpec, ObservedGuest } from "../model.js";

/** One PCI function as sysfs shows it. Numbers are parsed, texts trimmed. */
export interface PciFunction {
  readonly address: string;
  readonly vendor: string;
  readonly device: string;
  /** Six hexadecimal digits, e.g. `030200`. */
  readonly classCode: string;
  readonly numa: number;
  readonly iommuGroup: string;
  readonly driver: string;
  /** PCI addresses of the bridges above it, root first. */
  readonly path: readonly string[];
  readonly vfsMax: number;
  readonly vfCount: number;
  /** VF addresses in VF order. */
  readonly vfs: readonly string[];
  /** The physical function's address, when this is a VF. */
  readonly pf: string | undefined;
}

export interface NetPort {
  readonly port: number;
  readonly neighbour: string;
  readonly up: boolean;
}

/** One network interface that belongs to a PCI function. */
export interface NetInterface {
  readonly name: string;
  readonly pciAddress: string;
  readonly permanentMac: string;
  /** Mb/s; 0 while the link is down. */
  readonly speedMbps: number;
  readonly ports: readonly NetPort[];
}

/** Everything that decides, read from sysfs, procfs and DMI below the root. */
export interface MachineFacts {
  readonly serial: string;
  readonly bootId: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  /** All but PCI-to-PCI bridges, in address order. */
  readonly functions: readonly PciFunction[];
  readonly interfaces: readonly NetInterface[];
}

export interface VfSettings {
  readonly mac: string;
  /** 0 = none. */
  readonly vlan: number;
  /** 0 = unlimited. */
  readonly rateMbps: number;
  readonly spoofCheck: boolean;
}

/** One VF as the PF's driver tells it. */
export interface VfReading extends VfSettings {
  readonly vf: number;
}

/**
 * Errors: RailyardError with code `deadline` (a tool hung), `unavailable` (a tool or device failed;
 * trying again may help) or `invalid` (an argument has not the shape that a tool may be given).
 */
export interface Hardware {
  /** Whether the machine is made up. */
  readonly fake: boolean;
  readFacts(): Promise<MachineFacts>;
  /**
   * Sets the PF-wide number of VFs. The kernel refuses a change from one non-zero number to
   * another.
   */
  setVfCount(pfAddress: string, count: number): Promise<void>;
  configureVf(pfName: string, vf: number, settings: VfSettings): Promise<void>;
  readVfs(pfName: string): Promise<readonly VfReading[]>;
  /** Hands a function to vfio-pci. */
  bindVfio(pciAddress: string): Promise<void>;
  /**
   * Takes a function back: function-level reset, check that the device answers, unbind. Stays
   * bound when it cannot be had back clean.
   */
  unbindVfio(pciAddress: string): Promise<void>;
  /** Every guest that has any trace on the machine, running or not. */
  listGuests(): Promise<readonly ObservedGuest[]>;
  startGuest(guest: GuestSpec): Promise<void>;
  /** Ends the guest and removes every trace of it. Does nothing when there is none. */
  stopGuest(instanceId: string): Promise<void>;
  rebootGuest(instanceId: string, bootCount: number): Promise<void>;
}
