// The hardware models that a made-up machine can be, as data. Knows nothing of files or of Linux.

export interface HardwareModel {
  readonly name: string;
  /** Logical CPUs. */
  readonly cpus: number;
  readonly memoryMib: number;
  readonly sockets: number;
  /** Each switch carries one GPU, one NIC and one disk. */
  readonly switchesPerSocket: number;
  readonly gpu: { readonly vendor: string; readonly device: string };
  readonly nic: {
    readonly vendor: string;
    readonly device: string;
    readonly vfDevice: string;
    readonly ports: number;
    readonly portSpeedMbps: number;
    readonly vfsMax: number;
  };
  readonly disk: { readonly vendor: string; readonly device: string; readonly sectors: number };
  readonly nvSwitches: number;
}

const CONNECTX_7 = {
  vendor: "15b3",
  device: "1021",
  vfDevice: "101e",
  ports: 2,
  portSpeedMbps: 200_000,
  vfsMax: 16,
};

const HGX_H100 = {
  name: "hgx-h100",
  cpus: 192,
  memoryMib: 2_097_152,
  sockets: 2,
  switchesPerSocket: 4,
  gpu: { vendor: "10de", device: "2330" },
  nic: CONNECTX_7,
  disk: { vendor: "144d", device: "a80a", sectors: 15_002_931_888 },
  nvSwitches: 4,
} satisfies HardwareModel;

const MODELS: readonly HardwareModel[] = [
  HGX_H100,
  { ...HGX_H100, name: "hgx-h200", gpu: { vendor: "10de", device: "2335" } },
  {
    ...HGX_H100,
    name: "mini-2gpu",
    cpus: 32,
    memoryMib: 262_144,
    sockets: 1,
    switchesPerSocket: 2,
    nvSwitches: 0,
  },
];

/** Names of all models. */
export const MODEL_NAMES: readonly string[] = MODELS.map((model) => model.name);

/** The model of that name; undefined when there is none. */
export function findModel(name: string): HardwareModel | undefined {
  return MODELS.find((model) => model.name === name);
}
