// A bare machine, a pass that found nothing, and a controller's welcome: what tests of the link
// start from. Production code has no use for it.
import type { HelloAnswer } from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { Inventory, PassReport } from "../model.js";

export const WELCOME: HelloAnswer = {
  outcome: { $case: "welcome", value: { epoch: 1n, heartbeatMs: 1_000, leaseMs: 5_000 } },
};

export const INVENTORY: Inventory = {
  serial: "S1",
  bootId: "boot-1",
  numaCount: 1,
  vcpu: 8,
  memoryMib: 64,
  diskGib: 1,
  gpus: [],
  nics: [],
  nvSwitches: [],
  fabricManager: false,
  pairs: [],
  warnings: [],
};

/** A whole pass that found nothing, but for `change`. */
export function passed(change: Partial<PassReport> = {}): PassReport {
  const empty = { epoch: 1n, generation: 1n, instances: [], residues: [], complete: true };
  return { ...empty, inventory: INVENTORY, ...change };
}
