// Shows, for each kind of fault that can be injected, that the machine then does what the kind
// says, and that it ends with the fault.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inventoryOf } from "../../inventory.js";
import type { FaultKind, InjectedFault } from "../../model/fault.js";
import type { GuestSpec } from "../../model.js";
import type { Hardware } from "../hardware.js";
import { createFakeHardware } from "./fake.js";
import { type FaultRule, setFaults } from "./faults.js";
import { gpuAddress, netdevName, nicAddress } from "./places.js";

const PF = nicAddress(1);
const NAME = netdevName(PF, 0);
const BOOT_MS = 200;
const CABLING = [
  ["leaf-1", "leaf-2"],
  ["leaf-3", "leaf-4"],
];
const SET = { mac: "02:00:00:00:00:05", vlan: 101, rateMbps: 1000, spoofCheck: true };
const NO_MAC = "00:00:00:00:00:00";
const GUEST = {
  ...{ instanceId: "ins-1", name: "one", bootCount: 1, vcpu: 1, memoryMib: 512 },
  ...{ functions: [], addresses: {} },
} as unknown as GuestSpec;

let dir: string;
let clock: ManualClock;
let hardware: Hardware;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-injected-"));
  clock = new ManualClock();
  hardware = createFakeHardware({ dir, model: "mini-2gpu", serial: "S1", cabling: CABLING, clock });
});
afterEach(() => rmSync(dir, { recursive: true }));

async function inject(kind: FaultKind, over: Partial<InjectedFault> = {}): Promise<void> {
  await hardware.setFaults?.([{ id: `flt-${kind}`, kind, step: "", ...over }]);
}
const heal = async () => hardware.setFaults?.([]);
const inventory = async () => inventoryOf(await hardware.readFacts());
const nics = async () => {
  const all = [...(await inventory()).nics];
  return all.sort((a, b) => (a.pciAddress < b.pciAddress ? -1 : 1));
};

test("a dropped VF is not there after VFs were made, and their number hides it", async () => {
  await inject("vf-dropped", { rail: 1, vfIndex: 2 });
  await expect(hardware.setVfCount(PF, 4)).rejects.toThrow("2 vfs instead of 4");
  await hardware.setVfCount(nicAddress(0), 4);
  const { functions } = await hardware.readFacts();
  expect(functions.find(({ address }) => address === PF)?.vfCount).toBe(4);
  expect(functions.filter(({ pf }) => pf === PF)).toHaveLength(3);
  await heal();
  await hardware.setVfCount(PF, 4);
  expect(await hardware.readVfs(NAME)).toHaveLength(4);
});

test("swapped VFs take each other's settings, as often as said", async () => {
  await hardware.setVfCount(PF, 4);
  await inject("vf-swapped", { rail: 1, vfIndex: 0, times: 1 });
  await hardware.configureVf(NAME, 2, SET);
  await hardware.configureVf(NAME, 0, SET);
  const macs = async () => (await hardware.readVfs(NAME)).map(({ mac }) => mac);
  expect(await macs()).toEqual([NO_MAC, SET.mac, SET.mac, NO_MAC]);
  await hardware.configureVf(NAME, 0, SET);
  expect(await macs()).toEqual([SET.mac, SET.mac, SET.mac, NO_MAC]);
});

test.each([
  ["link-down", { speedGbps: 0 }],
  ["link-slow", { speedGbps: 200 }],
  ["wrong-neighbour", { ports: [{ neighbour: "leaf-1" }, { neighbour: "leaf-4" }] }],
] as const)("%s shows on the NIC of its rail only, and ends with the fault", async (kind, seen) => {
  const before = await nics();
  await inject(kind, { rail: 1 });
  const [other, hit] = await nics();
  expect(hit).toMatchObject(seen);
  expect(other).toEqual(before[0]);
  await heal();
  expect(await nics()).toEqual(before);
});

test("a lost GPU is gone from the bus, counted by PCI address, until the fault ends", async () => {
  await inject("gpu-lost", { gpuIndex: 1 });
  const addresses = async () => (await inventory()).gpus.map(({ pciAddress }) => pciAddress);
  expect(await addresses()).toEqual([gpuAddress(0)]);
  await heal();
  expect((await addresses()).sort()).toEqual([gpuAddress(0), gpuAddress(1)]);
});

test("a failing step fails, the others are done", async () => {
  await inject("apply-fails", { step: "configure-vf", times: 1 });
  await hardware.setVfCount(PF, 2);
  await expect(hardware.configureVf(NAME, 0, SET)).rejects.toThrow("an injected fault");
  await hardware.configureVf(NAME, 0, SET);
});

test("without a step named, the first one fails as often as it is tried", async () => {
  await inject("apply-fails");
  await expect(hardware.setVfCount(PF, 2)).rejects.toThrow("EIO");
  await expect(hardware.setVfCount(PF, 2)).rejects.toThrow("EIO");
  await hardware.setVfCount(nicAddress(0), 2);
  await heal();
  await hardware.setVfCount(PF, 2);
});

test("a hanging step ends at its deadline", async () => {
  await inject("apply-hangs", { step: "create-vfs" });
  const making = expect(hardware.setVfCount(PF, 2)).rejects.toMatchObject({ code: "deadline" });
  await clock.advance(600_000);
  await making;
});

test("a reboot comes once: new boot id, no guest, no VF and none of its settings", async () => {
  await hardware.setVfCount(PF, 2);
  await hardware.configureVf(NAME, 0, SET);
  await hardware.startGuest(GUEST);
  const { bootId } = await inventory();
  await inject("machine-reboots");
  const after = (await inventory()).bootId;
  expect(after).not.toBe(bootId);
  expect(await hardware.listGuests()).toEqual([]);
  expect(await hardware.readVfs(NAME)).toEqual([]);
  await inject("machine-reboots");
  await heal();
  expect((await inventory()).bootId).toBe(after);
  await inject("machine-reboots");
  expect((await inventory()).bootId).not.toBe(after);
});

test("a guest that crashes stands there and does not run, until it is started again", async () => {
  await hardware.startGuest(GUEST);
  const running = async () => (await hardware.listGuests()).map((guest) => guest.running);
  await inject("guest-crashes", { times: 1 });
  expect(await running()).toEqual([false]);
  await clock.advance(BOOT_MS);
  expect(await hardware.listGuests()).toMatchObject([
    { running: false, ended: expect.stringMatching(/crashed/) },
  ]);
  await clock.advance(BOOT_MS);
  expect(await running()).toEqual([false]);
  await hardware.startGuest(GUEST);
  await clock.advance(BOOT_MS);
  expect(await running()).toEqual([true]);
});

test("rules that were set from outside stay beside the injected ones", async () => {
  const rule: FaultRule = { id: "r", device: NAME, effect: { kind: "link-down" } };
  setFaults(dir, [rule]);
  await inject("link-down", { rail: 0 });
  expect((await nics()).map(({ speedGbps }) => speedGbps)).toEqual([0, 200]);
  await heal();
  expect((await nics()).map(({ speedGbps }) => speedGbps)).toEqual([400, 200]);
});
