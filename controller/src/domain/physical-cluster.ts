// A physical cluster: a concrete cluster in a data centre, with its leaf groups and its pool of
// isolation ids. Only operators ever see one.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import type { IsolationKind } from "./profile.js";

export interface Rail {
  readonly rail: number;
  /** Leaf switches of the rail: the j-th serves port j of every NIC on it. */
  readonly leaves: readonly string[];
}

/** Nodes that share one set of rail leaves (a scalable unit). */
export interface LeafGroup {
  readonly name: string;
  readonly rails: readonly Rail[];
}

export interface PhysicalCluster {
  readonly id: PhysicalClusterId;
  readonly name: string;
  readonly type: string;
  readonly zone: string;
  readonly isolation: { readonly kind: IsolationKind; readonly min: number; readonly max: number };
  readonly leafGroups: readonly LeafGroup[];
  readonly enabled: boolean;
}

/** What a server of one kind must turn out to have. */
export interface HardwareKind {
  readonly name: string;
  readonly vcpu: number;
  readonly memoryGib: number;
  readonly diskGib: number;
  /** `model` is what instance profiles ask for, `pci` is what the machine must show. */
  readonly gpus: { readonly count: number; readonly pci: string; readonly model: string };
  readonly nics: {
    readonly count: number;
    readonly pci: string;
    readonly ports: number;
    readonly speedGbps: number;
    readonly vfs: number;
  };
  /** Whether the GPUs are joined by NVSwitches; absent in what was declared before: they are. */
  readonly nvSwitch?: boolean;
  /** Whether the host runs a Fabric Manager, so that a part of the GPUs may be given away. */
  readonly fabricManager?: boolean;
  readonly pairing: "pcie-switch";
  readonly iommu: "strict" | "shared";
  readonly lab: boolean;
}
