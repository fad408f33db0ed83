// What the overlay tier declares: hypervisors of two rails without SR-IOV on one leaf a rail, and
// the profiles that fit them. The catalog is the example's, with the lab's image.
import { exampleMzone, type MzoneDocument } from "../../yard.js";

export const RAILS = 2;
/** Of each NIC that an instance gets. */
export const SHARES = 2;
export const ATTACHMENTS = RAILS * SHARES;
/** VFs that a rail of a hypervisor has; each takes its time to make. */
export const VFS = SHARES;
export const SPEED_GBPS = 10;
/** Neither what Linux nor what QEMU would take by itself. */
export const MTU = 4_000;
export const HYPERVISORS: readonly string[] = ["lab-h01", "lab-h02", "lab-h03"];
export const NETWORK_PROFILE = "lab-1";
export const INSTANCE_PROFILE = "lab-1x1x2";
export const IMAGE_ID = "img-lab";
/** vendor:device of what stands in for GPUs, QEMU's `edu`, and of virtio's NIC. */
export const GPU = "1234:11e8";
const NIC = "1af4:1041";
const CLUSTER = "lab";

export interface GuestImage {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export function leafOf(rail: number): string {
  return `leaf-l0${rail + 1}`;
}

/** What the firmware of a hypervisor would say. */
export function serialOf(hypervisor: string): string {
  return `SN-${hypervisor}`;
}

export function overlayMzone(image: GuestImage): MzoneDocument {
  const example = exampleMzone() as MzoneDocument & { readonly catalog: object };
  const [zone] = example.zones;
  if (!zone) throw new Error("the example has no zone");
  const rails = Array.from({ length: RAILS }, (_, rail) => ({ rail, leaves: [leafOf(rail)] }));
  const place = { cluster: CLUSTER, leafGroup: "su1", hardware: "lab-overlay" };
  const cluster = {
    ...{ name: CLUSTER, type: "lab-overlay", isolation: { kind: "vni", range: [70_000, 70_099] } },
    leafGroups: [{ name: "su1", rails }],
  };
  const servers = HYPERVISORS.map((name) => {
    return { name, serial: serialOf(name), ...place, cabling: "standard" };
  });
  const document = {
    ...example,
    metadata: { name: "lab", generation: 1 },
    profiles: { clusterNetworks: [networkProfile()], instances: [instanceProfile()] },
    catalog: { ...example.catalog, images: [{ id: IMAGE_ID, name: "lab", ...image }] },
    zones: [{ ...zone, physicalClusters: [cluster], servers }],
    hardware: [hardware()],
  };
  return document;
}

function networkProfile() {
  return {
    ...{ name: NETWORK_PROFILE, family: "lab", clusterTypes: ["lab-overlay"] },
    ...{ rails: RAILS, speedGbps: SPEED_GBPS, mtu: MTU, isolation: "vni" },
    ...{ railAlignment: "required", minRails: RAILS, onRailDown: "keep", subnetRouting: false },
    instanceProfiles: [INSTANCE_PROFILE],
  };
}

function instanceProfile() {
  return {
    ...{ name: INSTANCE_PROFILE, vcpu: 1, memoryGiB: 1, numaCount: 1 },
    gpu: { model: "StandIn", count: RAILS, memoryGiB: 1 },
    attachments: { enum: [RAILS, ATTACHMENTS], default: ATTACHMENTS },
  };
}

function hardware() {
  return {
    ...{ name: "lab-overlay", vcpu: 1, memoryGiB: 1, diskGiB: 0 },
    gpus: { count: RAILS, pci: GPU, model: "StandIn" },
    nics: { count: RAILS, pci: NIC, ports: 1, speedGbps: SPEED_GBPS, vfs: VFS },
    ...{ nvSwitch: false, pairing: "pcie-switch", iommu: "strict", lab: true },
  };
}
