// The hardware models that a made-up machine can be, as data. Knows nothing of files or of Linux.

/** Addresses that a device asks for. */
export interface Range {
  readonly bytes: number;
  readonly prefetchable: boolean;
}

/** A device by its ids; each of its ranges is 64-bit and so takes two BARs. */
export interface DeviceModel {
  readonly vendor: string;
  readonly device: string;
  readonly ranges: readonly Range[];
}

export interface HardwareModel {
  readonly name: string;
  /** Logical CPUs. */
  readonly cpus: number;
  readonly memoryMib: number;
  readonly sockets: number;
  /** Each switch carries one GPU, one NIC and one disk. */
  readonly switchesPerSocket: number;
  /** Lanes and GT/s of the links of GPUs, NICs and NVSwitches. */
  readonly link: { readonly speedGts: number; readonly width: number };
  readonly gpu: DeviceModel;
  readonly nic: DeviceModel & {
    readonly vfDevice: string;
    /** Of one VF. */
    readonly vfRanges: readonly Range[];
    readonly ports: number;
    readonly portSpeedMbps: number;
    readonly vfsMax: number;
    /** Whether its ports are InfiniBand; absent: Ethernet. */
    readonly infiniband?: boolean;
  };
  readonly disk: { readonly vendor: string; readonly device: string; readonly sectors: number };
  readonly nvSwitch: DeviceModel;
  readonly nvSwitches: number;
  /** Whether the host runs a Fabric Manager that divides the NVSwitches. */
  readonly fabricManager: boolean;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const CONNECTX_7 = {
  vendor: "15b3",
  device: "1021",
  ranges: [{ bytes: 32 * MIB, prefetchable: true }],
  vfDevice: "101e",
  vfRanges: [{ bytes: MIB, prefetchable: true }],
  ports: 2,
  portSpeedMbps: 200_000,
  vfsMax: 16,
};

/** A Hopper GPU with all of its memory behind its second range. */
function hopper(device: string, memoryBytes: number): DeviceModel {
  const bytes = [16 * MIB, memoryBytes, 32 * MIB];
  return { vendor: "10de", device, ranges: bytes.map((b) => ({ bytes: b, prefetchable: true })) };
}

const HGX_H100 = {
  name: "hgx-h100",
  cpus: 192,
  memoryMib: 2_097_152,
  sockets: 2,
  switchesPerSocket: 4,
  link: { speedGts: 32, width: 16 },
  gpu: hopper("2330", 128 * GIB),
  nic: CONNECTX_7,
  disk: { vendor: "144d", device: "a80a", sectors: 15_002_931_888 },
  nvSwitch: {
    vendor: "10de",
    device: "22a3",
    ranges: [{ bytes: 32 * MIB, prefetchable: false }],
  },
  nvSwitches: 4,
  fabricManager: true,
} satisfies HardwareModel;

const MINI = {
  ...HGX_H100,
  name: "mini-2gpu",
  cpus: 32,
  memoryMib: 262_144,
  sockets: 1,
  switchesPerSocket: 2,
  nvSwitches: 0,
  fabricManager: false,
} satisfies HardwareModel;

const MODELS: readonly HardwareModel[] = [
  HGX_H100,
  { ...HGX_H100, name: "hgx-h200", gpu: hopper("2335", 256 * GIB) },
  MINI,
  { ...MINI, name: "mini-2gpu-nvswitch", nvSwitches: 1, fabricManager: true },
  {
    ...MINI,
    name: "mini-2gpu-ib",
    nic: { ...CONNECTX_7, ports: 1, portSpeedMbps: 400_000, infiniband: true },
  },
];

/** Names of all models. */
export const MODEL_NAMES: readonly string[] = MODELS.map((model) => model.name);

/** The model of that name; undefined when there is none. */
export function findModel(name: string): HardwareModel | undefined {
  return MODELS.find((model) => model.name === name);
}
