// What a made-up machine may be told to do wrong, in the agent's own words. Knows neither the wire
// format nor how a machine does it.

export type FaultKind =
  | "vf-dropped"
  | "vf-swapped"
  | "link-down"
  | "link-slow"
  | "gpu-lost"
  | "apply-fails"
  | "apply-hangs"
  | "machine-hangs"
  | "machine-reboots"
  | "wrong-neighbour"
  | "guest-crashes";

/** Something that a made-up machine is to do wrong for as long as it is desired. */
export interface InjectedFault {
  readonly id: string;
  readonly kind: FaultKind;
  /** 0-based; absent: any. */
  readonly rail?: number;
  /** 0-based within its NIC; absent: any. */
  readonly vfIndex?: number;
  /** 0-based by PCI address; absent: any. */
  readonly gpuIndex?: number;
  /** Kind of a step; empty: the first that is taken. */
  readonly step: string;
  /** Absent: always. */
  readonly times?: number;
}
