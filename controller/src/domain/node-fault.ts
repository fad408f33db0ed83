// What a made-up machine is told to do wrong, and which words make sense together. Knows neither
// how a machine does it nor who asked.
import { Violations } from "@railyard/lib/errors";
import type { FaultId, NodeId } from "@railyard/lib/ids";
import type { HardwareKind } from "./physical-cluster.js";

/** What goes wrong, and the choices that each kind has beside it. */
const CHOICES = {
  "vf-dropped": ["rail", "vf_index"],
  "vf-swapped": ["rail", "vf_index", "times"],
  "link-down": ["rail"],
  "link-slow": ["rail"],
  "gpu-lost": ["gpu_index"],
  "apply-fails": ["step", "times"],
  "apply-hangs": ["step", "times"],
  "machine-hangs": [],
  "machine-reboots": [],
  "wrong-neighbour": ["rail"],
  "guest-crashes": ["times"],
} as const satisfies Readonly<Record<string, readonly Choice[]>>;

type Choice = "rail" | "vf_index" | "gpu_index" | "step" | "times";

export type FaultKind = keyof typeof CHOICES;

/** The kinds of steps that an agent takes, as its reports name them. */
export const APPLY_STEPS: readonly string[] = [
  ...["stop-guest", "unbind-device", "clear-vf", "create-vfs"],
  ...["configure-vf", "bind-device", "start-guest", "reboot-guest"],
  ...["activate-partition", "deactivate-partition"],
];

/** Faults that one node may have at the same time. */
export const FAULTS_PER_NODE_MAX = 16;

export interface FaultSpec {
  readonly kind: FaultKind;
  /** 0-based; absent: any. */
  readonly rail?: number;
  /** 0-based within its NIC; absent: any. */
  readonly vfIndex?: number;
  /** 0-based by PCI address; absent: any. */
  readonly gpuIndex?: number;
  /** One of APPLY_STEPS; empty: the first that is taken. */
  readonly step: string;
  /** Absent: always. */
  readonly times?: number;
}

/** Never changes: it is there, or it is gone. */
export interface NodeFault {
  readonly id: FaultId;
  readonly nodeId: NodeId;
  readonly createdAt: number;
  /** Undefined: never. */
  readonly expiresAt: number | undefined;
  readonly etag: string;
  readonly spec: FaultSpec;
}

/** Throws `invalid` naming every choice that the kind does not have, and an unknown step. */
export function checkFaultSpec(spec: FaultSpec): void {
  const { kind, rail, vfIndex, gpuIndex, step, times } = spec;
  const given: Readonly<Record<Choice, boolean>> = {
    rail: rail !== undefined,
    vf_index: vfIndex !== undefined,
    gpu_index: gpuIndex !== undefined,
    step: step !== "",
    times: times !== undefined,
  };
  const allowed: readonly string[] = CHOICES[kind];
  const bad = new Violations();
  for (const [choice, isGiven] of Object.entries(given)) {
    if (isGiven && !allowed.includes(choice)) {
      bad.add(`spec.${choice}`, `says nothing about ${kind}`);
    }
  }
  if (allowed.includes("step") && step !== "" && !APPLY_STEPS.includes(step)) {
    bad.add("spec.step", `must be one of ${APPLY_STEPS.join(", ")}`);
  }
  bad.throwIfAny();
}

/** Throws `invalid` naming every device that a machine of this kind does not have. */
export function checkFaultPlace(spec: FaultSpec, { gpus, nics }: HardwareKind): void {
  const { rail = 0, vfIndex = 0, gpuIndex = 0 } = spec;
  const bad = new Violations();
  const must = (field: string, value: number, count: number) => {
    if (value >= count) bad.add(`spec.${field}`, `must be below ${count} on this machine`);
  };
  must("rail", rail, nics.count);
  must("vf_index", vfIndex, nics.vfs);
  must("gpu_index", gpuIndex, gpus.count);
  bad.throwIfAny();
}
