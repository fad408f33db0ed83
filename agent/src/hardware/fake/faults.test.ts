// Shows, for each way in which hardware can fail, that a fault rule makes the machine fail so, that
// the production code above it sees it, and that it ends with the rule.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inventoryOf } from "../../inventory.js";
import type { Inventory, Nic } from "../../model.js";
import type { Hardware } from "../hardware.js";
import { createFakeHardware, rebootFakeMachine } from "./fake.js";
import { type DeviceEffect, type FaultRule, setFaults } from "./faults.js";
import { netdevName, nicAddress } from "./places.js";

const PF = nicAddress(0);
const NAME = netdevName(PF, 0);
const CABLING = [
  ["leaf-1", "leaf-2"],
  ["leaf-3", "leaf-4"],
];
const SET = { mac: "02:00:00:00:00:05", vlan: 101, rateMbps: 1000, spoofCheck: true };
const NO_MAC = "00:00:00:00:00:00";

let dir: string;
let hardware: Hardware;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-faults-"));
  const clock = new ManualClock();
  hardware = createFakeHardware({ dir, model: "mini-2gpu", serial: "S1", cabling: CABLING, clock });
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a NIC that goes down in the middle of applying is set up, and has no link", async () => {
  await hardware.setVfCount(PF, 2);
  setFaults(dir, [on(NAME, { kind: "link-down" }, "^ip link set .* vf 0 ")]);
  expect((await nic()).speedGbps).toBe(400);
  await hardware.configureVf(NAME, 0, SET);
  await hardware.configureVf(NAME, 1, SET);
  expect((await hardware.readVfs(NAME)).map((vf) => vf.mac)).toEqual([SET.mac, SET.mac]);
  expect(await nic()).toMatchObject({ speedGbps: 200, ports: [{ up: false }, { up: true }] });
  setFaults(dir, []);
  expect((await nic()).speedGbps).toBe(400);
});

test("VFs that nobody asked for stand there after a reboot until they are taken away", async () => {
  setFaults(dir, [on(PF, { kind: "vf-count", count: 3 })]);
  rebootFakeMachine(dir);
  const pf = (await hardware.readFacts()).functions.find((fn) => fn.address === PF)!;
  expect([pf.vfCount, pf.vfs.length]).toEqual([3, 3]);
  await hardware.setVfCount(PF, 0);
  await hardware.setVfCount(PF, 8);
  expect(await hardware.readVfs(NAME)).toHaveLength(8);
  rebootFakeMachine(dir);
  expect((await hardware.readFacts()).functions.filter((fn) => fn.pf === PF)).toHaveLength(3);
});

test("a GPU that vanishes leaves its NIC without a partner", async () => {
  const gpu = (await inventory()).gpus[0]!;
  setFaults(dir, [on(gpu.pciAddress, { kind: "vanish" })]);
  const { gpus, pairs, warnings } = await inventory();
  expect([gpus.length, pairs.length]).toEqual([1, 1]);
  // One more switch joins both switches, so that there is a GPU near by, with a nearer NIC.
  expect(warnings).toMatchObject([{ kind: "ambiguous-switch", deviceId: (await nic()).deviceId }]);
});

test("a GPU whose registers read ones only is still there, and told of", async () => {
  const { deviceId, pciAddress } = (await inventory()).gpus[0]!;
  setFaults(dir, [on(pciAddress, { kind: "dead" })]);
  const { gpus, warnings } = await inventory();
  expect(gpus).toHaveLength(2);
  expect(warnings).toMatchObject([{ kind: "reads-ffff", deviceId }]);
});

test("VFs of which only half were made are seen as what stands there", async () => {
  const call = `^write .*${PF}/sriov_numvfs 8$`;
  setFaults(dir, [{ id: "half", call, effect: { kind: "half" }, times: 1 }]);
  await expect(hardware.setVfCount(PF, 8)).rejects.toMatchObject({ code: "unavailable" });
  expect(await hardware.readVfs(NAME)).toHaveLength(4);
  await hardware.setVfCount(PF, 0);
  await hardware.setVfCount(PF, 8);
  expect(await hardware.readVfs(NAME)).toHaveLength(8);
});

test("settings that land on the neighbouring VF are read back from there", async () => {
  await hardware.setVfCount(PF, 2);
  setFaults(dir, [{ id: "swap", call: "^ip link set", effect: { kind: "wrong-vf" } }]);
  await hardware.configureVf(NAME, 0, SET);
  expect((await hardware.readVfs(NAME)).map((vf) => vf.mac)).toEqual([NO_MAC, SET.mac]);
});

test("a link that flaps is up and down in turns, and up once the rule is gone", async () => {
  setFaults(dir, [on(NAME, { kind: "link-flaps" })]);
  const seen: (boolean | undefined)[] = [];
  for (let look = 0; look < 4; look++) seen.push((await nic()).ports[0]?.up);
  expect(seen).toEqual([false, true, false, true]);
  await nic();
  setFaults(dir, []);
  expect((await nic()).ports[0]).toMatchObject({ up: true });
  expect((await nic()).speedGbps).toBe(400);
});

test("a link slower than it should be is up at that speed", async () => {
  setFaults(dir, [on(NAME, { kind: "link-slow", speedMbps: 100_000 })]);
  expect(await nic()).toMatchObject({ speedGbps: 300, ports: [{ up: true }, { up: true }] });
  setFaults(dir, []);
  expect((await nic()).speedGbps).toBe(400);
});

test("a reboot gives a new boot id", async () => {
  const before = (await inventory()).bootId;
  rebootFakeMachine(dir);
  expect((await inventory()).bootId).not.toBe(before);
});

test("swapped cables are seen as they are plugged", async () => {
  const other = netdevName(nicAddress(1), 0);
  setFaults(dir, [
    on(NAME, { kind: "cable", leaf: "leaf-3" }),
    on(other, { kind: "cable", leaf: "leaf-1" }),
  ]);
  const leaves = async () => (await nic()).ports.map((port) => port.neighbour);
  expect(await leaves()).toEqual(["leaf-3", "leaf-2"]);
  setFaults(dir, []);
  expect(await leaves()).toEqual(["leaf-1", "leaf-2"]);
});

test("two boards with one serial are told of, and neither is known by it", async () => {
  const first = (await nic()).board;
  setFaults(dir, [on(nicAddress(1), { kind: "serial", serial: first })]);
  // Serials are kept by whoever read them: the twin shows itself to the next process.
  reopen();
  const { nics, warnings } = await inventory();
  expect(nics.map((one) => one.board)).toEqual(["", ""]);
  expect(warnings.map((w) => w.kind)).toEqual(["duplicate-serial", "duplicate-serial"]);
  setFaults(dir, []);
  await hardware.readFacts();
  reopen();
  expect((await nic()).board).toBe(first);
});

test("a machine can have another's serial, or one that is none", async () => {
  setFaults(dir, [on("machine", { kind: "serial", serial: "NA" })]);
  expect(await inventory()).toMatchObject({
    serial: "",
    warnings: [{ kind: "placeholder-serial" }],
  });
  setFaults(dir, []);
  expect((await inventory()).serial).toBe("S1");
});

function on(device: string, effect: DeviceEffect, after?: string): FaultRule {
  return { id: `${effect.kind} ${device}`, device, effect, ...(after !== undefined && { after }) };
}

function reopen(): void {
  const clock = new ManualClock();
  hardware = createFakeHardware({ dir, model: "mini-2gpu", serial: "S1", cabling: CABLING, clock });
}

async function inventory(): Promise<Inventory> {
  return inventoryOf(await hardware.readFacts());
}

async function nic(): Promise<Nic> {
  return (await inventory()).nics.find((one) => one.pciAddress === PF)!;
}
