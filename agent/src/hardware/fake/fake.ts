// A made-up machine as Hardware: the production code for Linux above a pretended kernel and guests,
// both of which live in a directory. The directory is the machine: opening it again finds
// everything as it was.
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@railyard/lib/clock";
import { invalidField, refuse } from "@railyard/lib/errors";
import type { Hardware } from "../hardware.js";
import { createLinuxHardware } from "../linux/linux.js";
import { afflict, flap } from "./afflict.js";
import { pretendGuests } from "./guests.js";
import { inject } from "./injected.js";
import { pretendKernel } from "./kernel.js";
import {
  goneDir,
  guestsDir,
  type Machine,
  type MachineIdentity,
  machineIn,
  partitionsPath,
  readIdentity,
  writeIdentity,
} from "./machine.js";
import { findModel, MODEL_NAMES } from "./models.js";
import { renderMachine } from "./render.js";
import { repairVfs } from "./sriov.js";

const BOOT_MS = 200;

export interface FakeOptions {
  /** The machine's own directory; empty or absent at first. */
  readonly dir: string;
  /** One of `MODEL_NAMES`. */
  readonly model: string;
  readonly serial: string;
  /** Leaf switch names by NIC, then by port. Only the first opening looks at it. */
  readonly cabling: readonly (readonly string[])[];
  readonly clock: Clock;
  /** How long a guest takes to boot; default 200 ms. */
  readonly bootMs?: number;
  /** Upper bound for every deadline, milliseconds. */
  readonly deadlineMs?: number;
}

/**
 * Opens the machine in `dir`, making it first when there is none. Throws `invalid` for an unknown
 * model, `precondition` when another machine lives there.
 */
export function createFakeHardware(options: FakeOptions): Hardware {
  const { clock, deadlineMs } = options;
  const machine = machineIn(options.dir);
  const { model, serial, cabling } = options;
  const known = readIdentity(machine);
  if (known === undefined) switchOn(machine, { model, serial, cabling, boots: 1 });
  else if (known.model !== model || known.serial !== serial) {
    throw refuse("precondition", `directory ${options.dir} is machine ${known.serial}`);
  } else repairVfs(machine);
  const linux = createLinuxHardware({
    outside: pretendKernel(machine, clock),
    guests: pretendGuests(machine, clock, options.bootMs ?? BOOT_MS),
    clock,
    fake: true,
    ...(deadlineMs !== undefined && { deadlineMs }),
  });
  return {
    ...linux,
    async readFacts() {
      afflict(machine);
      flap(machine);
      return linux.readFacts();
    },
    async setFaults(faults) {
      inject(machine, faults, () => rebootFakeMachine(machine.dir));
    },
  };
}

/**
 * Power-cycles the machine in `dir`: guests, VFs and bindings are gone, the boot id is new. Throws
 * `precondition` when there is none.
 */
export function rebootFakeMachine(dir: string): void {
  const machine = machineIn(dir);
  const identity = readIdentity(machine);
  if (identity === undefined) throw refuse("precondition", `no machine in directory ${dir}`);
  switchOn(machine, { ...identity, boots: identity.boots + 1 });
}

// The identity is written last: a machine cut off in the making is made again.
function switchOn(machine: Machine, identity: MachineIdentity): void {
  const model = findModel(identity.model);
  if (model === undefined) {
    throw invalidField("model", `must be one of ${MODEL_NAMES.join(", ")}`);
  }
  const draft = join(machine.dir, "root.draft");
  const volatile = ["firmware", "afflictions.json"].map((name) => join(machine.dir, name));
  const standing = [machine.root, guestsDir(machine), goneDir(machine), partitionsPath(machine)];
  for (const path of [...volatile, draft, ...standing]) {
    rmSync(path, { recursive: true, force: true });
  }
  renderMachine(draft, model, identity);
  renameSync(draft, machine.root);
  writeIdentity(machine, identity);
}
