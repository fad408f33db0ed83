// A made-up machine with the agent's reconciler and ledger on it, in made-up time, for tests that
// look at what becomes of the machine. It knows nothing of controllers or the bus.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFakeHardware } from "@railyard/agent/hardware/fake/fake";
import type { Hardware } from "@railyard/agent/hardware/hardware";
import { inventoryOf } from "@railyard/agent/inventory";
import { type Ledger, openLedger } from "@railyard/agent/ledger";
import type { Desired, DesiredInstance, Inventory, PassReport } from "@railyard/agent/model";
import { Reconciler } from "@railyard/agent/reconcile/reconcile";
import { factsDigest } from "@railyard/lib/attest";
import { ManualClock, settle } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { removeFolder } from "../scratch.js";

const VFS_PER_NIC = 4;
const SLICE_MS = 1_000;
/** Made-up time within which everything must have come true. */
const BOUND_MS = 600_000;

/** What one instance wants: which pairs, how many attachments on each. */
export interface Wish {
  readonly id: string;
  readonly pairs: readonly number[];
  readonly each: number;
  readonly boots: number;
}

export class MachineBench {
  readonly clock = new ManualClock();
  ledger!: Ledger;
  reconciler: Reconciler | undefined;
  last: PassReport | undefined;
  private generation = 0n;
  private readonly states = new Map<string, readonly DesiredInstance[]>();

  private constructor(
    readonly dir: string,
    readonly inventory: Inventory,
    private readonly model: string,
  ) {}

  /** A machine of two pairs that nobody uses. */
  static async make(model = "mini-2gpu"): Promise<MachineBench> {
    const dir = mkdtempSync(join(tmpdir(), "railyard-machine-"));
    const hardware = openMachine({ dir: join(dir, "machine"), model, clock: new ManualClock() });
    return new MachineBench(dir, inventoryOf(await hardware.readFacts()), model);
  }

  async close(): Promise<void> {
    await this.stop();
    await removeFolder(this.dir);
  }

  get machineDir(): string {
    return join(this.dir, "machine");
  }

  get ledgerDir(): string {
    return join(this.dir, "ledger");
  }

  /** The machine as a new process has it. */
  open(): Hardware {
    return openMachine({ dir: this.machineDir, model: this.model, clock: this.clock });
  }

  /** A new agent, as far as the machine can tell. */
  async start(hardware = this.open()): Promise<void> {
    this.ledger = await openLedger({
      directory: this.ledgerDir,
      serial: "S1",
      bootId: "b",
      nodeId: "node-1",
      session: "ses-1",
      decode: ({ body, ...at }) => this.desired(at.epoch, at.generation, body.toString()),
      failpoint: () => undefined,
    });
    this.last = undefined;
    this.reconciler = new Reconciler({
      hardware,
      readInventory: inventoryOf,
      ledger: this.ledger,
      clock: this.clock,
      rng: seededRng("reconcile"),
      log: silentLog(),
      sweepMs: 10_000,
      onPass: (pass) => {
        this.last = pass;
      },
      failpoint: () => undefined,
    });
    this.reconciler.start();
  }

  /** Ends the agent, also where it waits for something that hangs. */
  async stop(): Promise<void> {
    let ended = false;
    const stopped = this.reconciler?.stop().then(() => {
      ended = true;
    });
    while (stopped && !ended) await this.pass(60_000);
    this.reconciler = undefined;
  }

  async want(wishes: readonly Wish[]): Promise<void> {
    this.generation += 1n;
    const name = String(this.generation);
    this.states.set(
      name,
      wishes.map((w) => this.instance(w)),
    );
    const scope = { nodeId: "node-1", session: "ses-1", epoch: 1n, generation: this.generation };
    const signed = { ...scope, body: Buffer.from(name), signature: Buffer.from("s") };
    await this.ledger.accept(signed, this.desired(1n, this.generation, name));
    this.reconciler?.nudge();
  }

  async until(what: string, is: () => boolean): Promise<void> {
    const end = this.clock.monotonic() + BOUND_MS;
    while (!is()) {
      if (this.clock.monotonic() > end) throw new Error(`${what} never came: ${this.shown()}`);
      await this.pass(SLICE_MS);
    }
  }

  /** Lets made-up time pass, with the ledger's writes, which take real time, done in between. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left >= 0; left -= SLICE_MS) {
      await this.clock.advance(Math.min(left, SLICE_MS));
      const { signed, desired } = this.ledger;
      if (signed && desired) await this.ledger.accept(signed, desired);
      await settle();
    }
  }

  /** Whether the last pass attests exactly these, and saw nothing else. */
  isExactly(wishes: readonly Wish[]): boolean {
    const { last } = this;
    if (!last?.complete || last.generation !== this.generation || last.residues.length > 0) {
      return false;
    }
    const wanted = wishes.map((w) => `${w.id} ${factsDigest(this.instance(w))}`).sort();
    const seen = wishes.map(({ id }) => `${id} ${this.digestOf(id)}`).sort();
    const isPresent = last.instances.every((i) => i.phase === "present");
    return isPresent && last.instances.length === wishes.length && seen.join() === wanted.join();
  }

  /** What the last pass attests of an instance; empty when nothing. */
  digestOf(id: string): string {
    const facts = this.last?.instances.find((i) => i.instanceId === id)?.facts;
    return facts ? factsDigest(facts) : "";
  }

  /** What an agent that never heard of anything sees on the machine. */
  async footprint() {
    const hardware = this.open();
    const facts = await hardware.readFacts();
    const onVfio = facts.functions.filter((f) => f.driver === "vfio-pci").map((f) => f.address);
    const vfs = await Promise.all(this.inventory.nics.map((n) => hardware.readVfs(n.pfName)));
    const addressed = vfs.flat().filter((v) => v.vlan !== 0 || !/^(00:?)+$/.test(v.mac));
    return { onVfio, vfs, addressed, guests: await hardware.listGuests() };
  }

  /** The instance with the facts that are intended for it. */
  instance({ id, pairs, each, boots }: Wish): DesiredInstance {
    const number = id.charCodeAt(id.length - 1);
    const attachments = pairs.flatMap((at, pair) =>
      Array.from({ length: each }, (_, vf) => {
        const position = pair * each + vf;
        return {
          attachmentId: `${id}-${position}`,
          position,
          rail: at,
          pair,
          nic: this.inventory.pairs[at]!.nic,
          vf,
          mac: `02:00:00:00:${number}:0${position}`,
          address: `10.0.${number}.${position + 5}/24`,
          isolation: { kind: "vlan" as const, id: 100 + number },
          rateMbps: 400_000 / each,
          mtu: 9_000,
          spoofCheck: true,
        };
      }),
    );
    return {
      instanceId: id,
      name: id,
      bootCount: boots,
      vcpu: 4 * pairs.length,
      memoryMib: 1_024,
      gpus: pairs.map((at) => this.inventory.pairs[at]!.gpu),
      attachments,
      image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
      volumes: [],
      vpcNics: [],
      metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
      userData: new Uint8Array(),
      sshKeys: [],
    };
  }

  private desired(epoch: bigint, generation: bigint, name: string): Desired {
    const instances = this.states.get(name) ?? [];
    return { epoch, generation, vfsPerNic: VFS_PER_NIC, instances, faults: [] };
  }

  private shown(): string {
    const { inventory: _, ...seen } = this.last ?? {};
    const plain = (_: string, v: unknown) => (typeof v === "bigint" ? String(v) : v);
    return JSON.stringify(seen, plain).slice(0, 2_000);
  }
}

function openMachine(made: { dir: string; model: string; clock: ManualClock }): Hardware {
  return createFakeHardware({ ...made, serial: "S1", cabling: [], bootMs: 100 });
}
