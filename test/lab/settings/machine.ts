// The agent's passes over netdevsim's virtual functions. Netdevsim has a bus of its own, and the
// agent looks for NICs on PCI's: a made-up machine stands in for the PCI tree and the guests, but
// whatever is set on a VF, or read of one, is so by `ip` inside the emulated hypervisor.
import assert from "node:assert/strict";
import { join } from "node:path";
import { createFakeHardware } from "@railyard/agent/hardware/fake/fake";
import { pretendGuests } from "@railyard/agent/hardware/fake/guests";
import { pretendKernel } from "@railyard/agent/hardware/fake/kernel";
import { type Machine, machineIn } from "@railyard/agent/hardware/fake/machine";
import { netdevName, nicAddress } from "@railyard/agent/hardware/fake/places";
import type { Hardware } from "@railyard/agent/hardware/hardware";
import { createLinuxHardware } from "@railyard/agent/hardware/linux/linux";
import { type Outside, toolFailed } from "@railyard/agent/hardware/linux/outside";
import { inventoryOf } from "@railyard/agent/inventory";
import { type Ledger, openLedger } from "@railyard/agent/ledger";
import type { Desired, Inventory, ObservedGuest, PassReport } from "@railyard/agent/model";
import { Reconciler } from "@railyard/agent/reconcile/reconcile";
import { type Clock, systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { until } from "../../until.js";
import type { SimulatedNics } from "./nics.js";

const MODEL = "mini-2gpu";
const NICS = [0, 1] as const;
const PORTS = [0, 1] as const;
const SERIAL = "LAB1";
const PASS_MS = 60_000;
/** Nothing but a nudge is to start a pass. */
const SWEEP_MS = 3_600_000;
const NODE = { nodeId: "node-lab", session: "ses-lab" };

/** Interface names of the made-up machine's NICs. */
export const NAMES = NICS.map((nic) => PORTS.map((port) => netdevName(nicAddress(nic), port)));

/** Whether a word of a command for a VF, and its value, get lost on the way. */
export type Lost = (nic: number, vf: number, word: string) => boolean;

interface Parts {
  readonly hardware: Hardware;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** On the way to the hypervisor. */
  readonly way: { lost: Lost };
}

export class StandIn {
  private readonly reconciler: Reconciler;
  private last: PassReport | undefined;
  private generation = 0n;

  private constructor(private readonly parts: Parts) {
    const { hardware, ledger, clock } = parts;
    this.reconciler = new Reconciler({
      ...{ hardware, ledger, clock, readInventory: inventoryOf, sweepMs: SWEEP_MS },
      ...{ rng: seededRng("lab"), log: silentLog(), failpoint: () => undefined },
      onPass: (report) => {
        this.last = report;
      },
    });
    this.reconciler.start();
  }

  static async open(nics: SimulatedNics, folder: string): Promise<StandIn> {
    const clock = systemClock();
    const dir = join(folder, "machine");
    createFakeHardware({ dir, model: MODEL, serial: SERIAL, cabling: [], clock });
    const machine = machineIn(dir);
    const ledger = await openLedger({
      ...{ directory: join(folder, "ledger"), serial: SERIAL, bootId: "b", ...NODE },
      decode: () => assert.fail("a new ledger holds nothing"),
      failpoint: () => undefined,
    });
    const way = { lost: () => false };
    const outside = doorTo(nics, machine, { clock, way });
    const guests = pretendGuests(machine, clock, 0);
    const hardware = createLinuxHardware({ outside, guests, clock, fake: true });
    return new StandIn({ hardware, ledger, clock, way });
  }

  async inventory(): Promise<Inventory> {
    return inventoryOf(await this.parts.hardware.readFacts());
  }

  guests(): Promise<readonly ObservedGuest[]> {
    return this.parts.hardware.listGuests();
  }

  /** From now on exactly what `lost` says gets lost. */
  lose(lost: Lost): void {
    this.parts.way.lost = lost;
    this.look();
  }

  /** What the machine is to be from now on; passes begin. */
  async want({ vfsPerNic, instances }: Pick<Desired, "vfsPerNic" | "instances">): Promise<void> {
    this.generation += 1n;
    const place = { epoch: 1n, generation: this.generation };
    const body = Buffer.from(String(this.generation));
    const signed = { ...NODE, ...place, body, signature: Buffer.alloc(1) };
    await this.parts.ledger.accept(signed, { ...place, vfsPerNic, instances, faults: [] });
    this.look();
  }

  /** Asks for a pass. */
  look(): void {
    this.reconciler.nudge();
  }

  /** The first report of what is wanted now that satisfies `is`. */
  async report(is: (report: PassReport) => boolean): Promise<PassReport> {
    const fits = () => {
      const { last } = this;
      return last?.generation === this.generation && is(last) ? last : undefined;
    };
    return until("a pass comes to that", fits, PASS_MS).catch((cause) => {
      throw new Error(JSON.stringify(this.last?.instances), { cause });
    });
  }

  close(): Promise<void> {
    return this.reconciler.stop();
  }
}

/** The door of the made-up machine, but for VFs: they are made and set in the hypervisor, too. */
function doorTo(
  nics: SimulatedNics,
  machine: Machine,
  { clock, way }: Pick<Parts, "clock" | "way">,
): Outside {
  const pretended = pretendKernel(machine, clock);
  return {
    root: machine.root,
    async write(path, value, deadlineMs) {
      await pretended.write(path, value, deadlineMs);
      const nic = NICS.find((at) => path.endsWith(`/${nicAddress(at)}/sriov_numvfs`));
      if (nic !== undefined) await nics.setVfCount(nic, Number(value));
    },
    async exec(tool, args, deadlineMs) {
      if (tool !== "ip") return pretended.exec(tool, args, deadlineMs);
      const kept = withoutLost(args, way.lost);
      return nics.inside.ask(`ip ${kept.join(" ")}`, deadlineMs).catch((thrown) => {
        throw toolFailed(tool, args, String(thrown));
      });
    },
  };
}

/** `args` are those of `link set dev NAME vf NUMBER WORD VALUE…`, or have no VF. */
function withoutLost(args: readonly string[], lost: Lost): readonly string[] {
  const at = args.indexOf("vf");
  if (at < 0) return args;
  const nic = NAMES.findIndex((names) => names.includes(args[at - 1] ?? ""));
  const first = at + 2;
  const isLost = (i: number) => lost(nic, Number(args[at + 1]), args[i - ((i - first) % 2)] ?? "");
  return args.filter((_, i) => i < first || !isLost(i));
}
