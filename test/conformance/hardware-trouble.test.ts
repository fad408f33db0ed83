// Proves how the agent bears a machine in trouble: tools that hang, devices that come back, a disk
// that cannot be written, a machine that cannot be read.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type FaultRule, setFaults } from "@railyard/agent/hardware/fake/faults";
import type { GuestFile } from "@railyard/agent/hardware/fake/guests";
import { machineIn } from "@railyard/agent/hardware/fake/machine";
import { NET, put } from "@railyard/agent/hardware/fake/tree";
import { refuse } from "@railyard/lib/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MachineBench, type Wish } from "./hardware-bench.js";

const A: Wish = { id: "ins-a", pairs: [0], each: 4, boots: 1 };
const B: Wish = { id: "ins-b", pairs: [1], each: 4, boots: 1 };
/** One deadline of each kind, and the guest's boot: what a neighbour may cost. */
const NEIGHBOUR_MS = 75_000;

let bench: MachineBench;

beforeEach(async () => {
  bench = await MachineBench.make();
  await bench.start();
});

afterEach(() => bench.close());

function nicOf(pair: number) {
  const { nics, pairs } = bench.inventory;
  return nics.find((n) => n.deviceId === pairs[pair]!.nic)!;
}

function hang(call: string): FaultRule {
  return { id: call, call, effect: { kind: "hang" } };
}

function phaseOf(id: string): string | undefined {
  return bench.last?.instances.find((i) => i.instanceId === id)?.phase;
}

/** When the guest began to run, as the machine has it. */
function startOf(id: string): number {
  const path = join(bench.machineDir, "guests", `${id}.json`);
  return (JSON.parse(readFileSync(path, "utf8")) as GuestFile).runsFromMs;
}

async function untilWithin(ms: number, what: string, is: () => boolean): Promise<void> {
  const from = bench.clock.monotonic();
  await bench.until(what, is);
  expect(bench.clock.monotonic() - from, what).toBeLessThanOrEqual(ms);
}

const HUNG: readonly (readonly [string, () => string])[] = [
  ["the settings of a nic", () => `^ip link set dev ${nicOf(0).pfName} `],
  ["the reading of a nic", () => `^ip -j -d link show dev ${nicOf(0).pfName}`],
  ["the making of vfs", () => `${nicOf(0).pciAddress}/sriov_numvfs`],
  ["the hand-over of its devices", () => `/0000:(16|17):..\\../driver_override`],
  ["the start of a guest", () => "^guest start ins-a"],
];

test.each(HUNG)("%s hangs: its instance waits, its neighbour comes", async (_, call) => {
  setFaults(bench.machineDir, [hang(call())]);
  await bench.want([A, B]);
  await untilWithin(NEIGHBOUR_MS, "the neighbour", () => phaseOf("ins-b") === "present");
  expect(phaseOf("ins-a")).toBe("applying");
  setFaults(bench.machineDir, []);
  await bench.until("both", () => bench.isExactly([A, B]));
});

test("a guest that cannot be stopped is reported, and its neighbour comes", async () => {
  await bench.want([A]);
  await bench.until("the first", () => bench.isExactly([A]));
  setFaults(bench.machineDir, [hang("^guest stop ins-a")]);
  await bench.want([B]);
  await untilWithin(NEIGHBOUR_MS, "the neighbour", () => phaseOf("ins-b") === "present");
  expect(phaseOf("ins-a")).toBe("removing");
  setFaults(bench.machineDir, []);
  await bench.until("the neighbour alone", () => bench.isExactly([B]));
});

test("a stop that was only said to be done takes no device from the guest", async () => {
  await bench.want([A]);
  await bench.until("the first", () => bench.isExactly([A]));
  const { onVfio, addressed } = await bench.footprint();
  setFaults(bench.machineDir, [{ id: "lie", call: "^guest stop", effect: { kind: "drop" } }]);
  await bench.want([]);
  await bench.pass(30_000);
  expect(phaseOf("ins-a")).toBe("removing");
  expect(await bench.footprint()).toMatchObject({ onVfio, addressed });
  setFaults(bench.machineDir, []);
  await bench.until("nothing", () => bench.isExactly([]));
});

test("a device that reads ones after release stays a residue until it answers", async () => {
  await bench.want([A]);
  await bench.until("the first", () => bench.isExactly([A]));
  const gpu = bench.instance(A).gpus[0]!;
  const { pciAddress } = bench.inventory.gpus.find((g) => g.deviceId === gpu)!;
  setFaults(bench.machineDir, [{ id: "d", device: pciAddress, effect: { kind: "dead" } }]);
  await bench.want([]);
  await bench.pass(120_000);
  expect(bench.last).toMatchObject({ complete: true, residues: [{ deviceId: gpu }] });
  const why = `unbind-device ${gpu}: pci function ${pciAddress} does not answer: it reads ffff`;
  const warnings = () => bench.last?.inventory.warnings;
  expect(warnings()).toContainEqual({ kind: "step-failed", deviceId: "", message: why });
  setFaults(bench.machineDir, []);
  await bench.until("nothing", () => bench.isExactly([]));
  expect(warnings()).toEqual([]);
});

test.each(["gpu", "nic"] as const)("a %s that vanishes and returns is given anew", async (kind) => {
  await bench.want([A, B]);
  await bench.until("both", () => bench.isExactly([A, B]));
  const id = bench.instance(A).gpus[0]!;
  const gpu = bench.inventory.gpus.find((g) => g.deviceId === id)!;
  const device = kind === "gpu" ? gpu.pciAddress : nicOf(0).pciAddress;
  setFaults(bench.machineDir, [{ id: "v", device, effect: { kind: "vanish" } }]);
  await bench.until("its loss", () => phaseOf("ins-a") === "failed");
  expect(bench.digestOf("ins-a")).toBe("");
  expect(phaseOf("ins-b")).toBe("present");
  const before = [startOf("ins-a"), startOf("ins-b")];
  setFaults(bench.machineDir, []);
  await bench.until("both again", () => bench.isExactly([A, B]));
  expect(startOf("ins-a")).toBeGreaterThan(before[0]!);
  expect(startOf("ins-b")).toBe(before[1]);
});

test("a nic that carries smaller frames than its instance wants is told of", async () => {
  const { deviceId, pfName } = nicOf(0);
  put(machineIn(bench.machineDir).root, `${NET}/${pfName}/mtu`, "1500");
  await bench.want([A, B]);
  await bench.until("both", () => bench.isExactly([A, B]));
  const message = `${pfName} carries frames of 1500 bytes, and 9000 are wanted on it`;
  const warning = { kind: "mtu-too-small", deviceId, message };
  expect(bench.last?.inventory.warnings).toEqual([warning]);
});

test("progress that cannot be written keeps nothing from being done", async () => {
  await bench.want([A]);
  rmSync(bench.ledgerDir, { recursive: true });
  await bench.until("the instance", () => bench.isExactly([A]));
  expect(bench.ledger.appliedGeneration).toBe(0n);
  mkdirSync(bench.ledgerDir);
  await bench.pass(20_000);
  expect(bench.ledger.appliedGeneration).toBe(1n);
});

test("a machine that cannot be read attests nothing and concludes nothing", async () => {
  const hardware = bench.open();
  let reads = true;
  await bench.stop();
  await bench.start({
    ...hardware,
    readFacts: () =>
      reads ? hardware.readFacts() : Promise.reject(refuse("unavailable", "too many files")),
  });
  await bench.want([A]);
  await bench.until("the instance", () => bench.isExactly([A]));
  reads = false;
  await bench.pass(20_000);
  expect(bench.last).toMatchObject({ complete: false, instances: [] });
  reads = true;
  await bench.until("the instance again", () => bench.isExactly([A]));
});

test("a session that may not act any more stops between two looks", async () => {
  const calls: string[] = [];
  const hardware = bench.open();
  await bench.stop();
  await bench.start({
    ...hardware,
    setVfCount: async (pf, count) => {
      calls.push("made");
      bench.reconciler?.setActing(false);
      await hardware.setVfCount(pf, count);
    },
    configureVf: async () => {
      calls.push("configured");
    },
  });
  await bench.want([A]);
  await bench.pass(30_000);
  expect(new Set(calls)).toEqual(new Set(["made"]));
  expect(phaseOf("ins-a")).toBe("applying");
});

test("a wall clock that goes back by an hour makes no guest boot again", async () => {
  await bench.want([A]);
  await bench.until("the instance", () => bench.isExactly([A]));
  const now = bench.clock.now.bind(bench.clock);
  bench.clock.now = () => now() - 3_600_000;
  await bench.pass(30_000);
  expect(bench.isExactly([A])).toBe(true);
});
