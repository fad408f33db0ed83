// Turns the faults of a desired state into the agent's own words, and refuses what breaks a rule.
import type { Violations } from "@railyard/lib/errors";
import { isId } from "@railyard/lib/ids";
import {
  InjectedFaultKind as Kind,
  type InjectedFault as WireFault,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { FaultKind, InjectedFault } from "../model/fault.js";

const FAULTS_MAX = 64;
const STEP = /^[-a-z]{0,64}$/;
const KINDS: ReadonlyMap<Kind, FaultKind> = new Map([
  [Kind.INJECTED_FAULT_KIND_VF_DROPPED, "vf-dropped"],
  [Kind.INJECTED_FAULT_KIND_VF_SWAPPED, "vf-swapped"],
  [Kind.INJECTED_FAULT_KIND_LINK_DOWN, "link-down"],
  [Kind.INJECTED_FAULT_KIND_LINK_SLOW, "link-slow"],
  [Kind.INJECTED_FAULT_KIND_GPU_LOST, "gpu-lost"],
  [Kind.INJECTED_FAULT_KIND_APPLY_FAILS, "apply-fails"],
  [Kind.INJECTED_FAULT_KIND_APPLY_HANGS, "apply-hangs"],
  [Kind.INJECTED_FAULT_KIND_MACHINE_HANGS, "machine-hangs"],
  [Kind.INJECTED_FAULT_KIND_MACHINE_REBOOTS, "machine-reboots"],
  [Kind.INJECTED_FAULT_KIND_WRONG_NEIGHBOUR, "wrong-neighbour"],
  [Kind.INJECTED_FAULT_KIND_GUEST_CRASHES, "guest-crashes"],
]);

/** Checks and converts; what is wrong is added to `bad`. A kind that is not known here is wrong. */
export function faultsFrom(wires: readonly WireFault[], bad: Violations): InjectedFault[] {
  if (wires.length > FAULTS_MAX) bad.add("faults", "are too many");
  return wires.flatMap((wire, i) => {
    const kind = KINDS.get(wire.kind);
    if (!kind) bad.add(`faults[${i}].kind`, "is not known");
    if (!isId(wire.id)) bad.add(`faults[${i}].id`, "is not an id");
    if (!STEP.test(wire.step)) bad.add(`faults[${i}].step`, "is no kind of step");
    return kind ? [faultOf(wire, kind)] : [];
  });
}

function faultOf(wire: WireFault, kind: FaultKind): InjectedFault {
  const { id, rail, vfIndex, gpuIndex, step, times } = wire;
  return {
    id,
    kind,
    ...(rail !== undefined && { rail }),
    ...(vfIndex !== undefined && { vfIndex }),
    ...(gpuIndex !== undefined && { gpuIndex }),
    step,
    ...(times > 0 && { times }),
  };
}
