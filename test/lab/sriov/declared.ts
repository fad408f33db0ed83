// What the lab declares: one server of eight GPU stand-ins and eight igb NICs, a leaf a rail, and
// the profiles that fit it. The catalog is the example's.
import { exampleMzone, type MzoneDocument } from "../../yard.js";

export const PAIRS = 8;
/** Of each NIC; fewer than the seven that an igb has, since each takes its time to make. */
export const VFS = 4;
export const SERVER = "lab-s01";
export const SERIAL = "LAB1";
export const NETWORK_PROFILE = "lab-1";
export const INSTANCE_PROFILE = "lab-1x1x8";
/** vendor:device of QEMU's bochs-display and of the igb's physical function. */
export const GPU = "1234:1111";
export const NIC = "8086:10c9";

/** The leaf switch of a rail. */
export function leafOf(rail: number): string {
  return `leaf-l0${rail + 1}`;
}

/** The lab's document; its IOMMU groups are shared because QEMU's switches have no ACS. */
export function labMzone(): MzoneDocument {
  const example = exampleMzone();
  const [zone] = example.zones;
  if (!zone) throw new Error("the example has no zone");
  const rails = Array.from({ length: PAIRS }, (_, rail) => ({ rail, leaves: [leafOf(rail)] }));
  const cluster = {
    name: "lab",
    type: "lab-igb",
    isolation: { kind: "vlan", range: [100, 3999] },
    leafGroups: [{ name: "su1", rails }],
  };
  const place = { cluster: "lab", leafGroup: "su1", hardware: "lab-igb", cabling: "standard" };
  const document = {
    ...example,
    metadata: { name: "lab", generation: 1 },
    profiles: { clusterNetworks: [networkProfile()], instances: [instanceProfile()] },
    zones: [
      {
        ...zone,
        physicalClusters: [cluster],
        servers: [{ name: SERVER, serial: SERIAL, ...place }],
      },
    ],
    hardware: [hardware()],
  };
  return document;
}

function networkProfile() {
  return {
    name: NETWORK_PROFILE,
    family: "lab",
    clusterTypes: ["lab-igb"],
    rails: PAIRS,
    speedGbps: 1,
    mtu: 1500,
    railAlignment: "required",
    minRails: PAIRS,
    onRailDown: "keep",
    subnetRouting: false,
    instanceProfiles: [INSTANCE_PROFILE],
  };
}

function instanceProfile() {
  return {
    name: INSTANCE_PROFILE,
    vcpu: 1,
    memoryGiB: 1,
    gpu: { model: "StandIn", count: PAIRS, memoryGiB: 1 },
    numaCount: 2,
    attachments: { enum: [PAIRS, 2 * PAIRS], default: PAIRS },
  };
}

function hardware() {
  return {
    name: "lab-igb",
    vcpu: 1,
    memoryGiB: 1,
    diskGiB: 0,
    gpus: { count: PAIRS, pci: GPU, model: "StandIn" },
    nics: { count: PAIRS, pci: NIC, ports: 1, speedGbps: 1, vfs: VFS },
    nvSwitch: false,
    pairing: "pcie-switch",
    iommu: "shared",
    lab: true,
  };
}
