// Tests of whole passes over a tiny machine in memory that can be told to fail, lie or hang a call.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { GuestConsole, Hardware, MachineFacts, VfReading } from "../hardware/hardware.js";
import { type Ledger, openLedger } from "../ledger.js";
import type {
  DesiredInstance,
  GuestSpec,
  Inventory,
  ObservedGuest,
  PassReport,
  SignedDesired,
} from "../model.js";
import { Reconciler } from "./reconcile.js";

const ZERO = "00:00:00:00:00:00";
const PAIRS = [0, 1];

/** Two pairs; guests run as soon as they are started. */
class TinyMachine implements Hardware {
  readonly fake = true;
  readonly calls: string[] = [];
  readonly setPartition = async () => undefined;
  readonly guests = new Map<string, GuestSpec>();
  readonly drivers = new Map<string, string>();
  readonly vfs = new Map<string, VfReading[]>(PAIRS.map((k) => [`eth${k}`, []]));
  /** Answers for calls by their text; undefined lets the call through. */
  fate: (call: string) => "fail" | "lie" | undefined = () => undefined;

  async readFacts(): Promise<MachineFacts> {
    this.act("read-facts", () => undefined);
    const functions = PAIRS.flatMap((k) => [
      this.fn(`gpu${k}`, []),
      this.fn(
        `nic${k}`,
        (this.vfs.get(`eth${k}`) ?? []).map((v) => `vf${k}.${v.vf}`),
      ),
      ...(this.vfs.get(`eth${k}`) ?? []).map((v) => this.fn(`vf${k}.${v.vf}`, [])),
    ]);
    const host = { serial: "S1", bootId: "b", cpus: 8, memoryMib: 64, diskGib: 1 };
    const none = { interfaces: [], rdma: [], boardSerials: {}, fabricManager: false };
    return { ...host, ...none, functions, oddities: [] };
  }
  async setVfCount(pf: string, count: number) {
    this.act(`set-vf-count ${pf} ${count}`, () => {
      const made = Array.from({ length: count }, (_, vf) => ({ vf, ...UNSET }));
      this.vfs.set(pf.replace("nic", "eth"), made);
    });
  }
  async configureVf(pfName: string, vf: number, to: Omit<VfReading, "vf">) {
    this.act(`configure ${pfName} ${vf}`, () => {
      const all = this.vfs.get(pfName) ?? [];
      all[vf] = { vf, ...to };
    });
  }
  async readVfs(pfName: string) {
    this.act(`read ${pfName}`, () => undefined);
    return [...(this.vfs.get(pfName) ?? [])];
  }
  async bindVfio(address: string) {
    this.act(`bind ${address}`, () => this.drivers.set(address, "vfio-pci"));
  }
  async unbindVfio(address: string) {
    this.act(`unbind ${address}`, () => this.drivers.delete(address));
  }
  async listGuests(): Promise<readonly ObservedGuest[]> {
    this.act("list", () => undefined);
    return [...this.guests.values()].map((g) => ({ ...g, running: true }));
  }
  async startGuest(guest: GuestSpec) {
    this.act(`start ${guest.instanceId}`, () => this.guests.set(guest.instanceId, guest));
  }
  async stopGuest(id: string) {
    this.act(`stop ${id}`, () => this.guests.delete(id));
  }
  async rebootGuest(id: string, bootCount: number) {
    const guest = this.guests.get(id);
    this.act(`reboot ${id}`, () => guest && this.guests.set(id, { ...guest, bootCount }));
  }

  async guestConsole(id: string): Promise<GuestConsole> {
    throw refuse("unavailable", `guest ${id} has no console`);
  }

  /** What was changed, readings left out. */
  changes(): string[] {
    return this.calls.filter((c) => !/^(read|list)/.test(c));
  }

  private act(call: string, work: () => unknown): void {
    this.calls.push(call);
    const fate = this.fate(call);
    if (fate === "fail") throw refuse("unavailable", `${call} failed`);
    if (fate === undefined) work();
  }

  private fn(address: string, vfs: string[]) {
    const driver = this.drivers.get(address) ?? "";
    return { ...BARE, address, driver, vfCount: vfs.length, vfs };
  }
}

const NAMELESS = { vendor: "", device: "", classCode: "", iommuGroup: "" };
const PCIE = { linkSpeedGts: 32, linkWidth: 16, linkMax: { speedGts: 32, width: 16 } };
const REGISTERS = { bars: [], vfBars: [], answers: true };
const BARE = { ...NAMELESS, ...PCIE, ...REGISTERS, numa: 0, path: [], vfsMax: 16, pf: undefined };
const LINKED = { numa: 0, path: [], linkSpeedGts: 32, linkWidth: 16, barBytes: 2 ** 24 };

const UNSET = { mac: ZERO, vlan: 0, rateMbps: 0, spoofCheck: false };
function inventory(): Inventory {
  return {
    ...{ serial: "S1", bootId: "b", numaCount: 1, vcpu: 8, memoryMib: 64, diskGib: 1 },
    gpus: PAIRS.map((k) => {
      return { ...LINKED, deviceId: `gpu-${k}`, pciAddress: `gpu${k}`, pciId: "" };
    }),
    nics: PAIRS.map((k) => ({
      ...LINKED,
      deviceId: `nic-${k}`,
      pciAddress: `nic${k}`,
      pciId: "",
      ...{ vfBarBytes: 2 ** 20, rdma: "", board: "" },
      pfName: `eth${k}`,
      permanentMac: "",
      speedGbps: 400,
      vfsMax: 16,
      ports: [],
    })),
    ...{ nvSwitches: [], fabricManager: false },
    pairs: PAIRS.map((k) => ({ gpu: `gpu-${k}`, nic: `nic-${k}` })),
    warnings: [],
  };
}

function instance(k: number, change: Partial<DesiredInstance> = {}): DesiredInstance {
  const attachments = [0, 1].map((vf) => ({
    attachmentId: `a${vf}`,
    position: vf,
    rail: k,
    pair: 0,
    nic: `nic-${k}`,
    vf,
    mac: `02:00:00:00:0${k}:0${vf}`,
    address: `10.0.0.${vf + 5}/24`,
    isolation: { kind: "vlan" as const, id: 100 },
    rateMbps: 200_000,
    mtu: 9000,
    spoofCheck: true,
  }));
  return {
    instanceId: `ins-${k}`,
    name: "one",
    bootCount: 1,
    vcpu: 8,
    memoryMib: 1024,
    gpus: [`gpu-${k}`],
    attachments,
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    volumes: [],
    vpcNics: [],
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
    userData: new Uint8Array(),
    sshKeys: [],
    ...change,
  };
}

let dir: string;
let clock: ManualClock;
let machine: TinyMachine;
let ledger: Ledger;
let reconciler: Reconciler;
let passes: PassReport[];
let failpoints: string[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "reconcile-"));
  clock = new ManualClock();
  machine = new TinyMachine();
  passes = [];
  failpoints = [];
  await restart();
});

afterEach(async () => {
  await reconciler.stop();
  rmSync(dir, { recursive: true, force: true });
});

const bodies = new Map<string, readonly DesiredInstance[]>();

async function restart(): Promise<void> {
  await reconciler?.stop();
  ledger = await openLedger({
    directory: dir,
    ...{ serial: "S1", bootId: "b" },
    ...{ nodeId: "node-1", session: "ses-1" },
    decode: ({ epoch, generation, body }) => ({
      epoch,
      generation,
      vfsPerNic: 2,
      faults: [],
      instances: bodies.get(body.toString()) ?? [],
    }),
    failpoint: () => undefined,
  });
  reconciler = new Reconciler({
    hardware: machine,
    readInventory: inventory,
    ledger,
    clock,
    rng: seededRng("reconcile"),
    log: silentLog(),
    sweepMs: 60_000,
    onPass: (pass) => passes.push(pass),
    failpoint: (name) => failpoints.push(name),
  });
  reconciler.start();
}

async function want(generation: bigint, ...instances: DesiredInstance[]): Promise<void> {
  const name = String(generation);
  bodies.set(name, instances);
  const body = Buffer.from(name);
  const signed: SignedDesired = {
    nodeId: "node-1",
    session: "ses-1",
    epoch: 1n,
    generation,
    body,
    signature: Buffer.from("s"),
  };
  await ledger.accept(signed, { epoch: 1n, generation, vfsPerNic: 2, instances, faults: [] });
  reconciler.nudge();
}

/** Waits for a pass that satisfies `is`; the made-up clock stands still unless told otherwise. */
function pass(is: (report: PassReport) => boolean, stepMs = 0): Promise<PassReport> {
  return vi.waitFor(
    async () => {
      await clock.advance(stepMs);
      const last = passes.at(-1);
      if (last && is(last)) return last;
      throw new Error(`no such pass; last: ${JSON.stringify(last?.instances)}`);
    },
    { interval: 2 },
  );
}

/** The same, letting retry timers fire. */
function passInTime(is: (report: PassReport) => boolean): Promise<PassReport> {
  return pass(is, 1_000);
}

const isPresent = (id: string) => (report: PassReport) =>
  report.instances.some((i) => i.instanceId === id && i.phase === "present");
const isAt = (generation: bigint) => (report: PassReport) => report.generation === generation;

test("an empty ledger changes nothing and reports what is there", async () => {
  machine.drivers.set("gpu0", "vfio-pci");
  await restart();
  const report = await pass((r) => r.residues.length > 0);
  expect(report).toMatchObject({ generation: 0n, complete: true });
  expect(report.residues).toEqual([{ deviceId: "gpu-0" }]);
  expect(machine.changes()).toEqual([]);
});

test("one pass brings an instance from nothing to present", async () => {
  await want(1n, instance(0));
  const report = await pass(isPresent("ins-0"));
  expect(report.instances[0]?.facts?.attachments.map((a) => a.mac)).toEqual([
    "02:00:00:00:00:00",
    "02:00:00:00:00:01",
  ]);
  expect(machine.changes().at(-1)).toBe("start ins-0");
  expect(ledger.appliedGeneration).toBe(1n);
  expect(failpoints).toEqual(["after-apply-before-report"]);
});

test("an instance no longer desired leaves nothing behind", async () => {
  await want(1n, instance(0));
  await pass(isPresent("ins-0"));
  await want(2n);
  const report = await pass((r) => isAt(2n)(r) && r.instances.length === 0);
  expect(report).toMatchObject({ residues: [], complete: true });
  expect([...machine.drivers]).toEqual([]);
  expect(machine.vfs.get("eth0")?.every((v) => v.mac === ZERO && v.vlan === 0)).toBe(true);
});

test("a vf whose settings are silently dropped keeps its guest from starting", async () => {
  machine.fate = (call) => (call === "configure eth0 1" ? "lie" : undefined);
  await want(1n, instance(0), instance(1));
  const report = await pass(isPresent("ins-1"));
  expect(report.instances[0]).toMatchObject({ phase: "applying", facts: undefined });
  expect(report.instances[0]?.reason).toMatch(/configure-vf nic-0 1: .*: mac, vlan, rate, spoof/);
  expect(machine.guests.has("ins-0")).toBe(false);
  expect(ledger.appliedGeneration).toBe(0n);
  machine.fate = () => undefined;
  await passInTime(isPresent("ins-0"));
  expect(ledger.appliedGeneration).toBe(1n);
});

test("what fails is tried again, later and later", async () => {
  const tries: number[] = [];
  machine.fate = (call) => {
    if (call !== "bind gpu0") return undefined;
    tries.push(clock.monotonic());
    return "fail";
  };
  await want(1n, instance(0));
  const report = await pass((r) => r.instances[0]?.failures.length === 1);
  expect(report.instances[0]?.reason).toBe("bind-device gpu-0: bind gpu0 failed");
  await passInTime(() => tries.length > 5);
  const gaps = tries.slice(1).map((t, i) => t - (tries[i] ?? 0));
  for (const [i, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(250 * 2 ** i);
});

test("a guest that cannot be stopped holds back its devices, not its neighbour", async () => {
  await want(1n, instance(0));
  await pass(isPresent("ins-0"));
  machine.fate = (call) => (call === "stop ins-0" ? "fail" : undefined);
  machine.calls.length = 0;
  await want(2n, instance(1));
  const report = await pass(isPresent("ins-1"));
  expect(machine.changes().filter((c) => /unbind|eth0/.test(c))).toEqual([]);
  expect(report.instances.find((i) => i.instanceId === "ins-0")).toMatchObject({
    phase: "removing",
    reason: "stop ins-0 failed",
    devices: [{ deviceId: "nic-0", vf: 0 }, { deviceId: "nic-0", vf: 1 }, { deviceId: "gpu-0" }],
  });
  machine.fate = () => undefined;
  await passInTime((r) => r.instances.length === 1 && r.residues.length === 0);
});

test("a device that cannot be cleaned is not given to the next instance", async () => {
  await want(1n, instance(0));
  await pass(isPresent("ins-0"));
  machine.fate = (call) => (call === "unbind vf0.1" ? "fail" : undefined);
  await want(2n);
  const report = await pass((r) => isAt(2n)(r) && r.instances.length === 0);
  expect(report.residues).toEqual([{ deviceId: "nic-0", vf: 1 }]);
  expect(ledger.appliedGeneration).toBe(1n);
});

test("what cannot be read makes the report incomplete", async () => {
  await want(1n, instance(0));
  await pass(isPresent("ins-0"));
  machine.fate = (call) => (call === "list" ? "fail" : undefined);
  machine.calls.length = 0;
  await want(2n);
  const report = await pass(isAt(2n));
  expect(report.complete).toBe(false);
  expect(machine.changes()).toEqual([]);
  machine.fate = () => undefined;
  await passInTime((r) => r.complete && r.instances.length === 0);
});

test("a restart restores from the ledger alone", async () => {
  await want(1n, instance(0));
  await pass(isPresent("ins-0"));
  machine.guests.clear();
  passes.length = 0;
  await restart();
  expect((await pass(isPresent("ins-0"))).generation).toBe(1n);
});

test("a restart over a machine as desired changes nothing", async () => {
  await want(1n, instance(0));
  await pass(isPresent("ins-0"));
  machine.calls.length = 0;
  passes.length = 0;
  await restart();
  await pass(isPresent("ins-0"));
  expect(machine.changes()).toEqual([]);
});

test("while the session may not act, passes only look", async () => {
  reconciler.setActing(false);
  await want(1n, instance(0));
  const report = await pass(isAt(1n));
  expect(report.instances[0]).toMatchObject({ phase: "applying" });
  expect(machine.changes()).toEqual([]);
  reconciler.setActing(true);
  await pass(isPresent("ins-0"));
});

test("a higher boot count reboots the guest and keeps its devices", async () => {
  await want(1n, instance(0));
  await pass(isPresent("ins-0"));
  machine.calls.length = 0;
  await want(2n, instance(0, { bootCount: 2 }));
  const report = await pass((r) => isAt(2n)(r) && isPresent("ins-0")(r));
  expect(machine.changes()).toEqual(["reboot ins-0"]);
  expect(report.instances[0]?.facts?.bootCount).toBe(2);
});
