// The hardware contract: what the agent may ask of a machine. Each call does one thing, within a
// deadline, and returns what was read, never what was asked for. linux/ implements it over files
// and outside tools; fake/ puts a made-up machine below linux/.
import type { Duplex } from "node:stream";
import type { InjectedFault } from "../model/fault.js";
import type { VfStray } from "../model/observed-vf.js";
import type { GuestSpec, ObservedGuest } from "../model.js";

/** One base address register. */
export interface Bar {
  readonly bytes: number;
  /** Whether it may lie above 4 GiB. */
  readonly wide: boolean;
  readonly prefetchable: boolean;
}

/** A PCIe link; 0 for what is unknown. */
export interface PcieLink {
  /** GT/s per lane. */
  readonly speedGts: number;
  readonly width: number;
}

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
  /** The link as it is now, GT/s per lane; 0 when unknown. */
  readonly linkSpeedGts: number;
  readonly linkWidth: number;
  /** What both the function and the port above it are able to. */
  readonly linkMax: PcieLink;
  /** VFs have none of their own: theirs are shares of the physical function's. */
  readonly bars: readonly Bar[];
  /** Those of one VF, when this is a physical function. */
  readonly vfBars: readonly Bar[];
  /** False when its registers read ones only, as those of a device that fell off the bus do. */
  readonly answers: boolean;
}

/** One RDMA device of a PCI function. */
export interface RdmaDevice {
  readonly name: string;
  readonly pciAddress: string;
  /** Sixteen hexadecimal digits without colons; empty when unset. */
  readonly nodeGuid: string;
  /** The same for all functions of one adapter. */
  readonly systemGuid: string;
  readonly ports: readonly RdmaPort[];
}

export interface RdmaPort {
  /** From 1, as RDMA counts. */
  readonly port: number;
  /** Whether it is InfiniBand and not Ethernet. */
  readonly infiniband: boolean;
  readonly active: boolean;
  /** 0 while it is not active. */
  readonly speedMbps: number;
  /** Sixteen hexadecimal digits without colons; empty when unset. */
  readonly guid: string;
  /** Switch seen on an InfiniBand cable; empty when none was. */
  readonly neighbour: string;
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
  /** The largest frame that all its ports carry, bytes; absent when it is not known. */
  readonly mtu?: number;
  readonly ports: readonly NetPort[];
}

/** GPUs that the NVSwitches can join to each other, and to no other. */
export interface PartitionReading {
  /** The Fabric Manager's. */
  readonly id: number;
  readonly active: boolean;
  readonly gpus: readonly {
    /** On the board, from 0. */
    readonly module: number;
    /** Empty where the Fabric Manager does not see the GPU itself. */
    readonly pciAddress: string;
  }[];
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
  readonly rdma: readonly RdmaDevice[];
  /** Board serials as the vital product data of NICs tell them, by PCI address. */
  readonly boardSerials: Readonly<Record<string, string>>;
  /**
   * Whether a Fabric Manager on the host divides the NVSwitches into partitions, and there is a
   * tool that speaks to it.
   */
  readonly fabricManager: boolean;
  /** Those that it knows; absent without one, and when they could not be read: an oddity tells. */
  readonly partitions?: readonly PartitionReading[];
  /** Names of devices and attributes that were there and could not be made use of, and why. */
  readonly oddities: readonly Oddity[];
}

/** Something that was found and left aside. */
export interface Oddity {
  /** Lower-case words joined by hyphens, e.g. `unreadable-attribute`. */
  readonly kind: string;
  /** PCI address; empty when it belongs to none. */
  readonly pciAddress: string;
  readonly message: string;
}

export interface VfSettings {
  /** On InfiniBand it is told by the GUIDs. */
  readonly mac: string;
  /** 0 = none. */
  readonly vlan: number;
  /** 0 = unlimited. */
  readonly rateMbps: number;
  readonly spoofCheck: boolean;
  /** Where the node itself encapsulates: 0 = none. Undefined where it cannot. */
  readonly vni?: number;
  /** The partition that an InfiniBand port's GUID is meant for: 0 = none. Undefined on Ethernet. */
  readonly pkey?: number;
  /** Read: what else is not as it is without anybody's doing. Set: what to set back, too. */
  readonly astray?: readonly VfStray[];
}

/** One VF as the PF's driver tells it. */
export interface VfReading extends VfSettings {
  readonly vf: number;
}

/** A guest's serial line, reached. It takes one session at a time and keeps nothing of it. */
export interface GuestConsole {
  /** Bytes from and to the guest; whoever has it destroys it. */
  readonly stream: Duplex;
  /** Tells the guest of a window size, where its line can carry one. */
  resize(columns: number, rows: number): void;
}

/**
 * Errors: RailyardError with code `deadline` (a tool hung), `unavailable` (a tool or device failed;
 * trying again may help) or `invalid` (an argument has not the shape that a tool may be given).
 */
export interface Hardware {
  /** Whether the machine is made up. */
  readonly fake: boolean;
  readFacts(): Promise<MachineFacts>;
  /** Made-up machines only: from now on it does exactly these things wrong. */
  setFaults?(faults: readonly InjectedFault[]): Promise<void>;
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
  /** Has the Fabric Manager join, or part again, the GPUs of one of its partitions. */
  setPartition(id: number, active: boolean): Promise<void>;
  /** Every guest that has any trace on the machine, running or not. */
  listGuests(): Promise<readonly ObservedGuest[]>;
  startGuest(guest: GuestSpec): Promise<void>;
  /** Ends the guest and removes every trace of it. Does nothing when there is none. */
  stopGuest(instanceId: string): Promise<void>;
  rebootGuest(instanceId: string, bootCount: number): Promise<void>;
  /** Reaches a guest's serial console. Errors: `unavailable` when it has none to speak to. */
  guestConsole(instanceId: string): Promise<GuestConsole>;
}
