// How a guest was laid out on its node, as its agent compiled it: kept beside the placement and
// shown, never acted upon.

export const GUEST_NODE_KINDS = [
  "expander",
  "root-port",
  "upstream-port",
  "downstream-port",
  "gpu",
  "attachment",
  "nvswitch",
] as const;

/** A bridge or a device of the guest. */
export interface GuestNode {
  readonly kind: (typeof GUEST_NODE_KINDS)[number];
  /** How many nodes are above it. */
  readonly depth: number;
  /** Guest PCI address. */
  readonly address: string;
  /** Which GPU, position or NVSwitch; -1 for bridges. */
  readonly index: number;
  /** NUMA node of the guest, of an expander; else -1. */
  readonly numa: number;
  readonly gpuDistance: string;
}

/** All but `qemuArguments` is for the instance's owner and names nothing physical. */
export interface GuestLayout {
  /** Top down, in bus order. */
  readonly tree: readonly GuestNode[];
  readonly ncclTopologyXml: string;
  readonly ncclEnvironment: string;
  readonly networkSettings: string;
  readonly kernelSettings: string;
  /** With host addresses: for operators only. */
  readonly qemuArguments: readonly string[];
}
