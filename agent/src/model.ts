// The agent's own words: what a machine has, what it should run, what was seen, what to do next.
// Plain data without behaviour; it must not know the wire format (link.ts converts) nor any outside
// tool.
import type { InstanceFacts } from "@railyard/lib/attest";

/** Stable device id: `nic-<permanent MAC without colons>`, else and for GPUs `<kind>-<slot>`. */
export type DeviceId = string;

export interface Gpu {
  readonly deviceId: DeviceId;
  /** Host PCI address `dddd:bb:dd.f`. */
  readonly pciAddress: string;
  /** `vendor:device`, lower-case hexadecimal. */
  readonly pciId: string;
  /** NUMA node; -1 when unknown. */
  readonly numa: number;
}

export interface Port {
  readonly port: number;
  /** Leaf switch seen on the cable; empty when none was. */
  readonly neighbour: string;
  readonly up: boolean;
}

export interface Nic {
  readonly deviceId: DeviceId;
  readonly pciAddress: string;
  readonly pciId: string;
  readonly numa: number;
  /** Interface name of the physical function. */
  readonly pfName: string;
  readonly permanentMac: string;
  /** 0 while the link is down. */
  readonly speedGbps: number;
  readonly vfsMax: number;
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
export interface Desired {
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly vfsPerNic: number;
  readonly instances: readonly DesiredInstance[];
}

/** One VF as read from the machine. */
export interface ObservedVf {
  readonly nic: DeviceId;
  readonly vf: number;
  readonly pciAddress: string;
  /** All zeros until one was set. */
  readonly mac: string;
  /** 0 = none. */
  readonly vlan: number;
  readonly rateMbps: number;
  readonly spoofCheck: boolean;
  /** Bound driver, empty when none. */
  readonly driver: string;
}

/** One GPU's binding as read from the machine. */
export interface ObservedGpu {
  readonly deviceId: DeviceId;
  readonly pciAddress: string;
  readonly driver: string;
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
}

/** Something that could not be read; nothing may be concluded about it. */
export interface ObserveProblem {
  /** A NIC whose VFs stayed unread; empty when it is the guests that did. */
  readonly deviceId: DeviceId | "";
  readonly message: string;
}

/** Everything read from the machine in one pass. */
export interface Observed {
  readonly vfs: readonly ObservedVf[];
  readonly gpus: readonly ObservedGpu[];
  readonly guests: readonly ObservedGuest[];
  /** Empty when the whole machine was read. */
  readonly problems: readonly ObserveProblem[];
}

/** A host bridge of the guest for one NUMA node (`pxb-pcie`). */
export interface Expander {
  /** NUMA node of the host; -1 when unknown. */
  readonly numa: number;
  /** Its own bus number; every bus below it is higher, up to `lastBus`. */
  readonly bus: number;
  readonly lastBus: number;
  /** One virtual PCIe switch per pair, in pair order. */
  readonly switches: readonly {
    readonly pair: number;
    /** Bus that the upstream port sits on, below its root port. */
    readonly upstreamBus: number;
    /** Bus that the downstream ports sit on. */
    readonly downstreamBus: number;
  }[];
}

/** Where every passed-through function sits inside the guest. */
export interface Layout {
  /** Bus numbers ascend. */
  readonly expanders: readonly Expander[];
  /** In pair order. */
  readonly gpus: readonly { readonly deviceId: DeviceId; readonly guestAddress: string }[];
  /** In position order. */
  readonly attachments: readonly {
    readonly position: number;
    readonly nic: DeviceId;
    readonly vf: number;
    readonly guestAddress: string;
  }[];
}

/** Why an instance cannot be laid out on this machine. */
export interface LayoutProblem {
  readonly kind: "device-missing" | "inconsistent" | "buses-exhausted";
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
export interface PassReport {
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly instances: readonly InstanceReport[];
  readonly residues: readonly DeviceTrace[];
  /** Whether the whole machine was read; only then may absence be concluded. */
  readonly complete: boolean;
  readonly inventory: Inventory;
}
