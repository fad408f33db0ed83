// The agent's own words: what a machine has, what it should run, what was seen, what to do next.
// Plain data without behaviour; it must not know the wire format (link.ts converts) nor any outside
// tool.
import type { InstanceFacts } from "@railyard/lib/attest";
import type { DesiredOfFabric, SeenOfFabric } from "./model/fabric.js";
import type { InjectedFault } from "./model/fault.js";
import type { Expander, GuestPort, PlacedDevice } from "./model/guest-bus.js";
import type { ObservedVf } from "./model/observed-vf.js";

/** Stable device id: `nic-<permanent MAC without colons>`, else and for others `<kind>-<slot>`. */
export type DeviceId = string;

/** A PCI function and where it sits. */
export interface Device {
  readonly deviceId: DeviceId;
  /** Host PCI address `dddd:bb:dd.f`. */
  readonly pciAddress: string;
  /** `vendor:device`, lower-case hexadecimal. */
  readonly pciId: string;
  /** NUMA node; -1 when unknown. */
  readonly numa: number;
  /** PCI addresses of the bridges above it, root first. */
  readonly path: readonly string[];
}

/** What a device's PCIe link can do and how much of the address space it takes. */
export interface LinkedDevice extends Device {
  /** What both ends of the PCIe link are able to, GT/s per lane; 0 when unknown. */
  readonly linkSpeedGts: number;
  /** Lanes that both ends are able to; 0 when unknown. */
  readonly linkWidth: number;
  /** Sum of the 64-bit prefetchable BARs, bytes. */
  readonly barBytes: number;
}

export interface Gpu extends LinkedDevice {
  /** On its board, from 0, as the Fabric Manager counts; undefined when that is not known. */
  readonly module?: number;
}

/** Joins GPUs; a guest with all GPUs of a machine takes all of its NVSwitches too. */
export interface NvSwitch extends Device {}

/** GPUs that a Fabric Manager can have NVSwitches join to each other, and to no other. */
export interface Partition {
  /** The Fabric Manager's. */
  readonly id: number;
  /** Ordered; empty texts for modules of which it is not known which GPU they are. */
  readonly gpus: readonly (DeviceId | "")[];
}

export interface Port {
  readonly port: number;
  /** Leaf switch seen on the cable; empty when none was. */
  readonly neighbour: string;
  readonly up: boolean;
}

export interface Nic extends LinkedDevice {
  /** Interface name of the physical function; on InfiniBand its RDMA device's. */
  readonly pfName: string;
  readonly permanentMac: string;
  /** 0 while the link is down. */
  readonly speedGbps: number;
  readonly vfsMax: number;
  /** The same as `barBytes`, of one VF. */
  readonly vfBarBytes: number;
  /** RDMA device of the physical function; empty when it has none. */
  readonly rdma: string;
  /** Largest frame that its interface carries, bytes; absent when that is not known. */
  readonly mtu?: number;
  /** Serial of the board; functions with the same are one card. Empty when unknown. */
  readonly board: string;
  readonly ports: readonly Port[];
}

export interface Pair {
  readonly gpu: DeviceId;
  readonly nic: DeviceId;
}

export interface InventoryWarning {
  /** Lower-case words joined by hyphens, e.g. `no-common-switch`. */
  readonly kind: string;
  readonly deviceId: DeviceId | "";
  readonly message: string;
}

/** What this machine has, ordered by device id. */
export interface Inventory {
  readonly serial: string;
  readonly bootId: string;
  readonly numaCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly gpus: readonly Gpu[];
  readonly nics: readonly Nic[];
  readonly nvSwitches: readonly NvSwitch[];
  /** Whether a Fabric Manager on the host divides the NVSwitches into partitions. */
  readonly fabricManager: boolean;
  /** Those that it knows; absent without one, and when they could not be read. */
  readonly partitions?: readonly Partition[];
  readonly pairs: readonly Pair[];
  readonly warnings: readonly InventoryWarning[];
}

export interface Isolation {
  readonly kind: "vlan" | "vni" | "pkey";
  readonly id: number;
}

export interface DesiredAttachment {
  readonly attachmentId: string;
  readonly position: number;
  readonly rail: number;
  /** Index into the instance's `gpus`. */
  readonly pair: number;
  readonly nic: DeviceId;
  readonly vf: number;
  readonly mac: string;
  /** `10.0.0.5/24`. */
  readonly address: string;
  readonly isolation: Isolation;
  readonly rateMbps: number;
  readonly mtu: number;
  readonly spoofCheck: boolean;
}

export interface DesiredInstance {
  readonly instanceId: string;
  readonly name: string;
  readonly bootCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** In pair order. */
  readonly gpus: readonly DeviceId[];
  /** In position order. */
  readonly attachments: readonly DesiredAttachment[];
  readonly image: {
    readonly id: string;
    readonly path: string;
    readonly sha256: string;
    readonly sizeBytes: number;
  };
  readonly volumes: readonly {
    readonly id: string;
    readonly capacityGib: number;
    readonly boot: boolean;
  }[];
  readonly vpcNics: readonly { readonly subnetId: string; readonly mac: string }[];
  readonly metadataService: {
    readonly enabled: boolean;
    readonly protocol: string;
    readonly hopLimit: number;
  };
  readonly userData: Uint8Array;
  readonly sshKeys: readonly string[];
}

/** The whole desired state of this machine. */
export interface Desired extends DesiredOfFabric {
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly vfsPerNic: number;
  readonly instances: readonly DesiredInstance[];
  /** By id; a machine that is not made up refuses them. */
  readonly faults: readonly InjectedFault[];
}

export interface ObservedPartition extends Partition {
  readonly active: boolean;
}

/** Partitions that may be active, as far as was seen or done last. */
export interface RememberedPartitions {
  /** The life of the machine that this holds for: a reboot leaves none active. */
  readonly bootId: string;
  readonly partitions: readonly Partition[];
  /** What was remembered could not be read any more: every partition may be active. */
  readonly lost?: true;
}

/** The binding of one GPU or NVSwitch as read from the machine. */
export interface ObservedDevice {
  readonly deviceId: DeviceId;
  readonly pciAddress: string;
  readonly driver: string;
  /** Functions of one group can only go to one guest; absent or empty when it is in none. */
  readonly iommuGroup?: string;
}

/** One PCI function given to a guest, as the guest's own definition has it. */
export interface GuestFunction {
  /** Address inside the guest, `dddd:bb:dd.f`. */
  readonly guestAddress: string;
  /** Host PCI address of the function passed through. */
  readonly hostAddress: string;
}

/** A guest as read back from what runs, not from what was asked. */
export interface ObservedGuest {
  readonly instanceId: string;
  readonly bootCount: number;
  readonly running: boolean;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** In guest address order. */
  readonly functions: readonly GuestFunction[];
  /** Addresses from the guest's network configuration, by MAC. */
  readonly addresses: Readonly<Record<string, string>>;
  /** How it ended, of one that does not run and did not end well, where that is known. */
  readonly ended?: string;
}

/** Something that could not be read; nothing may be concluded about it. */
export interface ObserveProblem {
  /**
   * A NIC whose VFs stayed unread, `nvswitches` for their partitions; empty when it is the guests.
   */
  readonly deviceId: DeviceId | "";
  readonly message: string;
}

/** Everything read from the machine in one pass. */
export interface Observed {
  readonly vfs: readonly ObservedVf[];
  readonly gpus: readonly ObservedDevice[];
  readonly nvSwitches: readonly ObservedDevice[];
  /** Where they could not be read, which a problem tells: those that may be active. */
  readonly partitions: readonly ObservedPartition[];
  readonly guests: readonly ObservedGuest[];
  /** Empty when the whole machine was read. */
  readonly problems: readonly ObserveProblem[];
}

/** Where every passed-through function sits inside the guest. */
export interface Layout {
  /** Bus numbers ascend. */
  readonly expanders: readonly Expander[];
  /** In the order in which a machine that boots numbers them. */
  readonly ports: readonly GuestPort[];
  /** In pair order. */
  readonly gpus: readonly PlacedDevice[];
  /** In position order. */
  readonly attachments: readonly {
    readonly position: number;
    readonly nic: DeviceId;
    readonly vf: number;
    readonly guestAddress: string;
  }[];
  /** All of the machine's, or none. */
  readonly nvSwitches: readonly PlacedDevice[];
  /** Size of the address window above 4 GiB that all 64-bit BARs fit into; a power of two. */
  readonly mmioBytes: number;
}

/** One bridge or function of a guest. */
export interface GuestTreeRow {
  readonly kind:
    | "expander"
    | "root-port"
    | "upstream-port"
    | "downstream-port"
    | "gpu"
    | "attachment"
    | "nvswitch";
  /** How many bridges are above it. */
  readonly depth: number;
  /** In the guest; an expander's is that of the first slot of its bus. */
  readonly address: string;
  /** Which GPU, which position, which NVSwitch; -1 for bridges. */
  readonly index: number;
  /** NUMA node of the guest, of an expander; else -1. */
  readonly numa: number;
  /** Path class between an attachment and its GPU; empty for others. */
  readonly gpuDistance: string;
}

/** A layout as others see it. All but `qemuArguments` is for the guest's owner. */
export interface GuestView {
  /** Top down, in bus order. */
  readonly tree: readonly GuestTreeRow[];
  readonly ncclTopologyXml: string;
  readonly ncclEnvironment: string;
  readonly networkSettings: string;
  readonly kernelSettings: string;
  /** Names host addresses: for operators only. */
  readonly qemuArguments: readonly string[];
}

/** Why an instance cannot be laid out on this machine. */
export interface LayoutProblem {
  readonly kind:
    | "device-missing"
    | "inconsistent"
    | "buses-exhausted"
    | "slots-exhausted"
    | "addresses-exhausted";
  readonly deviceId: DeviceId | "";
  readonly message: string;
}

export type LayoutResult =
  | { readonly ok: true; readonly layout: Layout }
  | { readonly ok: false; readonly problem: LayoutProblem };

/** A desired state as it came, under the controller's signature. */
export interface SignedDesired {
  readonly nodeId: string;
  readonly session: string;
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** What a guest is started from. */
export interface GuestSpec {
  readonly instanceId: string;
  readonly name: string;
  readonly bootCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly functions: readonly GuestFunction[];
  readonly addresses: Readonly<Record<string, string>>;
  readonly desired: DesiredInstance;
  /** Where the functions sit; a guest without any needs none. */
  readonly layout?: Layout;
}

/**
 * One thing to do. Removals come before additions; `key` names the step in the ledger and in
 * reports.
 */
export type Step = { readonly key: string; readonly instanceId: string } & (
  | { readonly kind: "stop-guest" }
  | { readonly kind: "unbind-device"; readonly deviceId: DeviceId; readonly vf?: number }
  | { readonly kind: "clear-vf"; readonly nic: DeviceId; readonly vf: number }
  | { readonly kind: "create-vfs"; readonly nic: DeviceId; readonly count: number }
  | { readonly kind: "configure-vf"; readonly attachment: DesiredAttachment }
  | { readonly kind: "bind-device"; readonly deviceId: DeviceId; readonly vf?: number }
  | {
      readonly kind: "activate-partition" | "deactivate-partition";
      readonly partition: number;
    }
  | { readonly kind: "start-guest"; readonly guest: GuestSpec }
  | { readonly kind: "reboot-guest"; readonly bootCount: number }
);

export interface StepFailure {
  readonly key: string;
  readonly reason: string;
}

export type InstancePhase = "applying" | "present" | "removing" | "failed";

export interface InstanceReport {
  readonly instanceId: string;
  readonly phase: InstancePhase;
  /** The facts as read back; undefined when they could not be read in full. */
  readonly facts: InstanceFacts | undefined;
  /** Of a guest that stands as desired; else undefined. */
  readonly view: GuestView | undefined;
  readonly reason: string;
  readonly attachments: readonly {
    readonly position: number;
    readonly guestPciAddress: string;
    /** Of the function that the guest's definition has there; empty while there is none. */
    readonly hostPciAddress: string;
    readonly observation: "pending" | "applied" | "degraded";
  }[];
  /** Devices that still carry any trace of the instance. */
  readonly devices: readonly DeviceTrace[];
  readonly failures: readonly StepFailure[];
}

export interface DeviceTrace {
  readonly deviceId: DeviceId;
  readonly vf?: number;
}

/** What one pass of the reconciler found. */
export interface PassReport extends SeenOfFabric {
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly instances: readonly InstanceReport[];
  readonly residues: readonly DeviceTrace[];
  /** Whether the whole machine was read; only then may absence be concluded. */
  readonly complete: boolean;
  readonly inventory: Inventory;
}
