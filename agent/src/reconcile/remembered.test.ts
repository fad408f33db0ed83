// Partitions of NVSwitches over a restart of the agent and the loss of the Fabric Manager's tool,
// on a made-up machine: whatever may still be active keeps its GPUs until somebody could look.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFakeHardware, rebootFakeMachine } from "../hardware/fake/fake.js";
import { pretendGuests } from "../hardware/fake/guests.js";
import { pretendKernel } from "../hardware/fake/kernel.js";
import { machineIn, partitionsPath, readJson } from "../hardware/fake/machine.js";
import { createLinuxHardware } from "../hardware/linux/linux.js";
import { missingTool, type Outside } from "../hardware/linux/outside.js";
import { inventoryOf } from "../inventory.js";
import { type Ledger, openLedger } from "../ledger.js";
import type { DesiredInstance, PassReport } from "../model.js";
import { Reconciler } from "./reconcile.js";

const SERIAL = "S1";
let dir: string;
let clock: ManualClock;
let installed: boolean;
let nodeId: string;
let ledger: Ledger;
let reconciler: Reconciler | undefined;
let last: PassReport | undefined;
let wanted: readonly DesiredInstance[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "railyard-remembered-"));
  clock = new ManualClock();
  installed = true;
  nodeId = "node-1";
  createFakeHardware({ dir: machineDir(), model: "mini-2gpu-nvswitch", ...plain() });
  await restart();
});
afterEach(async () => {
  await reconciler?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const machineDir = () => join(dir, "machine");
const plain = () => ({ serial: SERIAL, cabling: [], clock });

function hardware() {
  const machine = machineIn(machineDir());
  const kernel = pretendKernel(machine, clock);
  const exec: Outside["exec"] = (tool, ...rest) =>
    tool === "fmpm" && !installed ? Promise.reject(missingTool(tool)) : kernel.exec(tool, ...rest);
  const guests = pretendGuests(machine, clock, 0);
  return createLinuxHardware({ outside: { ...kernel, exec }, guests, clock, fake: true });
}

/** The agent as a new process has it: what it knows is what lies on disk. */
async function restart(): Promise<void> {
  await reconciler?.stop();
  last = undefined;
  ledger = await openLedger({
    ...{ directory: join(dir, "ledger"), serial: SERIAL, nodeId, session: "ses-1" },
    bootId: (await hardware().readFacts()).bootId,
    decode: ({ epoch, generation }) => desired(epoch, generation),
    failpoint: () => undefined,
  });
  reconciler = new Reconciler({
    ...{ hardware: hardware(), readInventory: inventoryOf, ledger, clock },
    ...{ rng: seededRng("remembered"), log: silentLog(), sweepMs: 60_000 },
    onPass: (pass) => {
      last = pass;
    },
    failpoint: () => undefined,
  });
  reconciler.start();
}

function desired(epoch: bigint, generation: bigint) {
  return { epoch, generation, vfsPerNic: 0, faults: [], instances: wanted };
}

async function want(generation: bigint, instances: readonly DesiredInstance[]): Promise<void> {
  wanted = instances;
  const body = Buffer.from(String(generation));
  const place = { nodeId, session: "ses-1", epoch: 1n, generation };
  const signed = { ...place, body, signature: Buffer.from("s") };
  await ledger.accept(signed, desired(1n, generation));
  reconciler?.nudge();
}

/** Gives passes time until the last one is as told. */
async function until(what: string, is: (pass: PassReport) => boolean): Promise<PassReport> {
  await vi.waitFor(
    async () => {
      await clock.advance(5_000);
      if (!last || !is(last)) throw new Error(`not yet: ${what}`);
    },
    { interval: 5 },
  );
  return last!;
}

function share(gpus: readonly string[]): DesiredInstance {
  return {
    ...{ instanceId: "ins-0", name: "one", bootCount: 1, vcpu: 2, memoryMib: 1024, gpus },
    attachments: [],
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    ...{ volumes: [], vpcNics: [], userData: new Uint8Array(), sshKeys: [] },
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
  };
}

const active = () => readJson<readonly number[]>(partitionsPath(machineIn(machineDir()))) ?? [];
const phase = (pass: PassReport) => pass.instances[0]?.phase;

/** A share runs with its partition; its GPU. */
async function running(): Promise<string> {
  const { gpus } = inventoryOf(await hardware().readFacts());
  const gpu = gpus[0]!.deviceId;
  await want(1n, [share([gpu])]);
  await until("it runs", (pass) => phase(pass) === "present");
  expect(active()).toHaveLength(1);
  return gpu;
}

test("a partition that nobody can be asked about keeps its GPU until it was parted", async () => {
  const gpu = await running();
  installed = false;
  await restart();
  const unread = await until("it is missed", (pass) => !pass.complete);
  expect(unread.inventory.fabricManager).toBe(false);
  expect(phase(unread)).toBe("applying");
  await want(2n, []);
  const left = await until("the guest is gone", (pass) => pass.instances.length === 0);
  expect(left).toMatchObject({ complete: false, residues: [{ deviceId: gpu }] });
  await restart();
  await until("another agent tells the same", (pass) => pass.residues.length === 1);
  const all = unread.inventory.gpus.map(({ deviceId }) => deviceId);
  await want(3n, [share(all)]);
  const waiting = await until("it waits", (pass) => pass.instances.length === 1);
  expect(waiting.instances[0]?.reason).toContain("may be still active");
  expect(active()).toHaveLength(1);
  installed = true;
  await want(4n, []);
  const free = await until("it is free", (pass) => pass.complete && pass.residues.length === 0);
  expect(free.inventory.fabricManager).toBe(true);
  expect(active()).toEqual([]);
  expect(ledger.partitions?.partitions).toEqual([]);
});

const FILE = () => join(dir, "ledger", "ledger-partitions.json");
const ids = ({ inventory }: PassReport) => inventory.gpus.map(({ deviceId }) => deviceId);

test("what was remembered and got lost keeps every GPU until a reboot of the machine", async () => {
  await running();
  await want(2n, []);
  await until("it is free", (pass) => pass.instances.length === 0 && pass.residues.length === 0);
  await reconciler?.stop();
  installed = false;
  writeFileSync(FILE(), readFileSync(FILE(), "utf8").replace("bootId", "boatId"));
  for (const _ of ["as it is found", "as the next process has it"]) {
    await restart();
    const unread = await until("all are kept", (pass) => pass.residues.length > 0);
    expect(unread.complete).toBe(false);
    expect(unread.residues.map(({ deviceId }) => deviceId)).toEqual(ids(unread));
  }
  await want(3n, [share(ids(last!))]);
  const waiting = await until("it waits", (pass) => pass.instances.length === 1);
  expect(waiting.instances[0]?.reason).toContain("may be still active");
  await reconciler?.stop();
  rebootFakeMachine(machineDir());
  await restart();
  await until("a reboot ends it", (pass) => phase(pass) === "present");
});

test("what got lost is found out by asking", async () => {
  await running();
  await reconciler?.stop();
  writeFileSync(FILE(), "");
  await restart();
  expect(ledger.partitions?.lost).toBe(true);
  await until("it is read", (pass) => phase(pass) === "present");
  expect(ledger.partitions).toMatchObject({ partitions: [{ gpus: [expect.any(String)] }] });
  expect(ledger.partitions?.lost).toBeUndefined();
});

test("a machine under a new name remembers what it did under the old one", async () => {
  const gpu = await running();
  await reconciler?.stop();
  [nodeId, installed] = ["node-2", false];
  await restart();
  expect(ledger.desired).toBeUndefined();
  await want(1n, []);
  const left = await until("the guest is gone", (pass) => pass.instances.length === 0);
  expect(left).toMatchObject({ complete: false, residues: [{ deviceId: gpu }] });
});

test("no partition is activated that could not be remembered before", async () => {
  const gpu = ids(await until("it is seen", () => true))[0]!;
  ledger.remember = () => Promise.reject(refuse("unavailable", "the disk is full"));
  await want(1n, [share([gpu])]);
  const held = await until("it waits", (pass) => pass.instances[0]?.failures.length === 1);
  expect(held.instances[0]?.reason).toContain("the disk is full");
  expect(active()).toEqual([]);
  await restart();
  await until("it runs", (pass) => phase(pass) === "present");
});

test("nothing is remembered over a reboot of the machine, which parts all GPUs", async () => {
  await running();
  await reconciler?.stop();
  rebootFakeMachine(machineDir());
  installed = false;
  await want(2n, []);
  await restart();
  const seen = await until("it is read in full", (pass) => pass.generation === 2n && pass.complete);
  expect(seen.residues).toEqual([]);
});
