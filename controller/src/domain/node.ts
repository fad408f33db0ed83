// A node: one server run by one agent. Declared by mzone.yaml, enrolled by an operator, then
// registered by its agent with an inventory that must match the declaration.
import type { NodeId, PhysicalClusterId, SessionId } from "@railyard/lib/ids";

export interface NicPort {
  readonly port: number;
  readonly neighbour: string;
  readonly up: boolean;
}

/** What the agent discovered; device ids are stable, lists are ordered by device id. */
export interface NodeInventory {
  readonly numaCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly gpus: readonly {
    readonly deviceId: string;
    readonly pciAddress: string;
    readonly pciId: string;
    readonly numa: number;
    /** On its board, from 0; absent where the machine does not know. */
    readonly module?: number;
  }[];
  readonly nics: readonly {
    readonly deviceId: string;
    readonly pciAddress: string;
    readonly pciId: string;
    readonly numa: number;
    readonly pfName: string;
    readonly permanentMac: string;
    readonly speedGbps: number;
    readonly vfsMax: number;
    readonly ports: readonly NicPort[];
  }[];
  readonly pairs: readonly { readonly gpu: string; readonly nic: string }[];
  readonly warnings: readonly {
    readonly kind: string;
    readonly deviceId: string;
    readonly message: string;
  }[];
  /** How many NVSwitches; absent in an inventory kept from before agents told it. */
  readonly nvSwitches?: number;
  /** Whether a host Fabric Manager divides them; absent likewise. */
  readonly fabricManager?: boolean;
}

/** One way in which a machine differs from its declaration. */
export interface Mismatch {
  readonly kind:
    | "serial"
    | "gpu-count"
    | "gpu-device"
    | "nic-count"
    | "nic-device"
    | "nic-vfs"
    | "nic-speed"
    | "pairing"
    | "wiring-swapped"
    | "wiring-missing"
    | "wiring-unknown"
    | "iommu"
    | "memory"
    | "vcpu"
    | "disk";
  /** The rail that becomes unplaceable; absent when the whole node does. */
  readonly rail: number | undefined;
  readonly expected: string;
  readonly seen: string;
}

/** Something about a node that an operator should look at. */
export interface NodeFlag {
  readonly code:
    | "second-session"
    | "superseded-session-spoke"
    | "generation-unknown"
    | "contradictory-desired"
    | "signature-invalid"
    | "unknown-instance"
    | "apply-failed"
    | "inventory-withheld";
  readonly message: string;
  readonly at: number;
}

/** A declared (GPU, NIC) pair once the inventory is known: its rail is what the cable says. */
export interface RailPair {
  readonly rail: number;
  readonly gpu: string;
  readonly nic: string;
  readonly healthy: boolean;
}

/** How long a node's agent was not heard, as judged and written down. */
export interface NodeSilence {
  /** `suspect`: its lease ran out. `lost`: it stayed silent for longer. */
  readonly state: "suspect" | "lost";
  /** When it came to be in this state, milliseconds. */
  readonly since: number;
  /** For operators. */
  readonly reason: string;
}

/** Why a node certainly cannot speak: its work may move, its devices stay blocked. */
export interface NodeFence {
  readonly method: "operator-word";
  readonly reason: string;
  /** Token id of who said so. */
  readonly by: string;
  readonly at: number;
  /**
   * The fence ends with a complete report of this generation (decimal) or later that has no trace
   * of work.
   */
  readonly sinceGeneration: string;
}

/** What a machine told that is not believed, as too many differ from what they were at once. */
export interface WithheldInventory {
  /** When it was held back first, milliseconds. */
  readonly since: number;
  readonly serial: string;
  readonly inventory: NodeInventory;
}

export interface Node {
  readonly id: NodeId;
  readonly name: string;
  readonly serial: string;
  /** `fabric`: it drives the subnet manager of its cluster. Absent: it runs instances. */
  readonly role?: "fabric" | undefined;
  readonly zone: string;
  readonly physicalClusterId: PhysicalClusterId;
  /** Empty for a fabric node. */
  readonly leafGroup: string;
  /** Empty for a fabric node. */
  readonly hardware: string;
  /** Cabling exceptions: leaf expected per NIC rail and port, where it is not the standard one. */
  readonly cabling: readonly {
    readonly rail: number;
    readonly port: number;
    readonly leaf: string;
  }[];
  readonly retired: boolean;
  readonly cordoned: boolean;
  readonly cordonReason: string;
  /** nkey user public key of the present enrolment; undefined before the first. */
  readonly publicKey: string | undefined;
  /** Rises with every enrolment; 0 before the first. */
  readonly incarnation: number;
  readonly session: SessionId | undefined;
  /** Sessions that were superseded, newest first, at most SUPERSEDED_MAX. */
  readonly superseded: readonly string[];
  readonly bootId: string;
  readonly agentVersion: string;
  readonly fake: boolean;
  readonly inventory: NodeInventory | undefined;
  readonly mismatches: readonly Mismatch[];
  /** Usable pairs in rail order, from inventory and wiring. */
  readonly pairs: readonly RailPair[];
  /** When its machine turned out unfit for work; absent while it is fit, or never was. */
  readonly unfitSince?: number | undefined;
  /** Newer than `inventory`, `mismatches` and `pairs`, and without effect on them yet. */
  readonly withheld?: WithheldInventory | undefined;
  readonly flags: readonly NodeFlag[];
  /** Generation of the node's desired state; rises with every change of it. */
  readonly generation: bigint;
  readonly acceptedGeneration: bigint;
  readonly appliedGeneration: bigint;
  /** When the present session was welcomed. */
  readonly registeredAt: number | undefined;
  /** Absent while its lease runs. */
  readonly silence?: NodeSilence | undefined;
  /** While it is fenced, until it was seen without work. */
  readonly fence?: NodeFence | undefined;
}

export const SUPERSEDED_MAX = 8;
export const FLAGS_MAX = 16;

/** The node with one more flag, newest first; the same node when it has this very flag already. */
export function flagged(node: Node, flag: NodeFlag): Node {
  const { code, message } = flag;
  if (node.flags.some((known) => known.code === code && known.message === message)) return node;
  return { ...node, flags: [flag, ...node.flags].slice(0, FLAGS_MAX) };
}
