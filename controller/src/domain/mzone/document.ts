// The mzone document as types: what release engineering declares in mzone.yaml, member for member.
// Plain data; what makes a document right stands in shape.ts and references.ts.
import type { IsolationKind, RailAlignment } from "../profile.js";

export interface ClusterNetworkProfileDecl {
  readonly name: string;
  readonly family: string;
  readonly clusterTypes: readonly string[];
  /** Default `roce`. */
  readonly fabric: "roce" | "infiniband";
  readonly rails: number;
  readonly speedGbps: number;
  readonly mtu: number;
  readonly railAlignment: RailAlignment;
  readonly minRails: number;
  readonly onRailDown: "keep" | "stop";
  readonly subnetRouting: boolean;
  /** Default: `vlan` on RoCE, `pkey` on InfiniBand. */
  readonly isolation: IsolationKind | undefined;
  readonly instanceProfiles: readonly string[];
}

export interface AttachmentsDecl {
  readonly enum: readonly number[] | undefined;
  readonly default: number | undefined;
  readonly range: { readonly min: number; readonly max: number; readonly step: number } | undefined;
}

export interface InstanceProfileDecl {
  readonly name: string;
  readonly family: string | undefined;
  readonly vcpu: number;
  readonly memoryGiB: number;
  readonly gpu:
    | {
        readonly manufacturer: string;
        readonly model: string;
        readonly count: number;
        /** Of one GPU. */
        readonly memoryGiB: number;
      }
    | undefined;
  readonly numaCount: number;
  readonly bandwidthMbps: number;
  readonly diskGiB: number;
  /** Absent: not cluster-network capable. */
  readonly attachments: AttachmentsDecl | undefined;
  readonly attachmentLayout: "blocked" | "strided";
}

/** Absent account: every account may use the item. */
interface CatalogDecl {
  readonly id: string;
  readonly name: string;
  readonly account: string | undefined;
}
export interface ImageDecl extends CatalogDecl {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}
export interface KeyDecl extends CatalogDecl {
  readonly publicKey: string;
}
export interface VpcDecl extends CatalogDecl {}
export interface VpcSubnetDecl extends CatalogDecl {
  readonly vpc: string;
  readonly zone: string;
}
export interface VolumeDecl extends CatalogDecl {
  readonly zone: string;
  readonly capacityGiB: number;
}

export interface RailDecl {
  readonly rail: number;
  readonly leaves: readonly string[];
}
export interface LeafGroupDecl {
  readonly name: string;
  readonly rails: readonly RailDecl[];
}
export interface PhysicalClusterDecl {
  readonly name: string;
  readonly type: string;
  readonly enabled: boolean;
  readonly isolation: { readonly kind: IsolationKind; readonly range: readonly number[] };
  readonly leafGroups: readonly LeafGroupDecl[];
}

/** Port `port` of the NIC of rail `rail` goes to `leaf` instead of its standard one. */
export interface CablingDecl {
  readonly rail: number;
  readonly port: number;
  readonly leaf: string;
}
export interface ServerDecl {
  readonly name: string;
  readonly serial: string;
  /** Default `hypervisor`. `fabric`: it drives the subnet manager of its cluster instead. */
  readonly role: "hypervisor" | "fabric";
  readonly cluster: string;
  /** Empty for a `fabric` server. */
  readonly leafGroup: string;
  /** Empty for a `fabric` server. */
  readonly hardware: string;
  /** Empty: `standard`. */
  readonly cabling: readonly CablingDecl[];
}

export interface ZoneDecl {
  readonly name: string;
  readonly physicalClusters: readonly PhysicalClusterDecl[];
  readonly servers: readonly ServerDecl[];
}

export interface HardwareDecl {
  readonly name: string;
  readonly vcpu: number;
  readonly memoryGiB: number;
  readonly diskGiB: number;
  readonly gpus: { readonly count: number; readonly pci: string; readonly model: string };
  readonly nics: {
    readonly count: number;
    readonly pci: string;
    readonly ports: number;
    readonly speedGbps: number;
    readonly vfs: number;
  };
  /** Default true. */
  readonly nvSwitch: boolean;
  /** Default false. */
  readonly fabricManager: boolean;
  readonly pairing: "pcie-switch";
  readonly iommu: "strict" | "shared";
  readonly lab: boolean;
}

export interface Mzone {
  readonly apiVersion: "railyard/v1";
  readonly kind: "Mzone";
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly profiles: {
    readonly clusterNetworks: readonly ClusterNetworkProfileDecl[];
    readonly instances: readonly InstanceProfileDecl[];
  };
  readonly catalog: {
    readonly images: readonly ImageDecl[];
    readonly keys: readonly KeyDecl[];
    readonly vpcs: readonly VpcDecl[];
    readonly vpcSubnets: readonly VpcSubnetDecl[];
    readonly volumes: readonly VolumeDecl[];
  };
  readonly zones: readonly ZoneDecl[];
  readonly hardware: readonly HardwareDecl[];
}
