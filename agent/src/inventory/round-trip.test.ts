// Shows that a machine made from a model, real or generated, is discovered as exactly that model:
// model, tree, facts, inventory.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import fc from "fast-check";
import { expect, test } from "vitest";
import { pretendKernel } from "../hardware/fake/kernel.js";
import { machineIn, writeIdentity } from "../hardware/fake/machine.js";
import { findModel, type HardwareModel, MODEL_NAMES } from "../hardware/fake/models.js";
import { boardSerial, portGuid, rdmaName } from "../hardware/fake/nic.js";
import { netdevName, nicAddress, permanentMac } from "../hardware/fake/places.js";
import { renderMachine } from "../hardware/fake/render.js";
import { factsReader } from "../hardware/linux/facts.js";
import { inventoryOf } from "../inventory.js";
import type { Inventory, Nic } from "../model.js";

const SERIAL = "GH1001";
const BIGGEST_GENERATED = 2 ** 38;

test.each(MODEL_NAMES)("a machine of model %s is discovered as its model", async (name) => {
  await roundTrip(findModel(name)!);
});

test("any machine is discovered as the model it was made from", async () => {
  await fc.assert(fc.asyncProperty(anyModel(), roundTrip), { numRuns: 8 });
});

async function roundTrip(model: HardwareModel): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "railyard-round-trip-"));
  try {
    const seen = await discover(dir, model);
    expect(comparable(seen)).toEqual(comparable(expected(model)));
    expect(seen.warnings).toEqual([]);
    expectPairsBySwitch(seen, model);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function discover(dir: string, model: HardwareModel): Promise<Inventory> {
  const machine = machineIn(dir);
  const cabling = indexes(model).map((k) => cables(model, k));
  const identity = { model: model.name, serial: SERIAL, cabling, boots: 1 };
  mkdirSync(machine.root, { recursive: true });
  renderMachine(machine.root, model, identity);
  writeIdentity(machine, identity);
  const clock = new ManualClock();
  const facts = await factsReader(pretendKernel(machine, clock), clock, 1000)();
  const { vendor, device } = model.gpu;
  return inventoryOf(facts, { gpus: [`${vendor}:${device}`] });
}

/** What the model says, put together without a look at any tree. */
function expected(model: HardwareModel) {
  const numaOf = (k: number) => Math.floor(k / model.switchesPerSocket);
  const { link, nvSwitch } = model;
  const linked = { linkSpeedGts: link.speedGts, linkWidth: link.width };
  const gpus = indexes(model).map((k) => ({
    ...linked,
    pciId: `${model.gpu.vendor}:${model.gpu.device}`,
    numa: numaOf(k),
    barBytes: prefetchable(model.gpu.ranges),
  }));
  const switches = Array.from({ length: model.nvSwitches }, () => {
    return { pciId: `${nvSwitch.vendor}:${nvSwitch.device}`, numa: 0 };
  });
  return {
    serial: SERIAL,
    numaCount: model.sockets,
    vcpu: model.cpus,
    memoryMib: model.memoryMib,
    diskGib: Math.floor((indexes(model).length * model.disk.sectors) / 2 ** 21),
    fabricManager: model.fabricManager,
    gpus,
    nics: indexes(model)
      .map((k) => ({ ...linked, numa: numaOf(k), ...expectedNic(model, k) }))
      .sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1)),
    nvSwitches: switches,
  };
}

function expectedNic(model: HardwareModel, k: number): Omit<Nic, keyof typeof NOT_TOLD> {
  const { nic } = model;
  const mac = permanentMac(SERIAL, k, 0);
  const named = nic.infiniband
    ? { deviceId: `nic-${portGuid(mac)}`, pfName: rdmaName(k), permanentMac: "" }
    : {
        deviceId: `nic-${mac.replaceAll(":", "")}`,
        pfName: netdevName(nicAddress(k), 0),
        permanentMac: mac,
      };
  return {
    ...named,
    ...(!nic.infiniband && { mtu: 9_216 }),
    pciAddress: nicAddress(k),
    pciId: `${nic.vendor}:${nic.device}`,
    speedGbps: (nic.ports * nic.portSpeedMbps) / 1000,
    vfsMax: nic.vfsMax,
    barBytes: prefetchable(nic.ranges),
    vfBarBytes: prefetchable(nic.vfRanges),
    rdma: rdmaName(k),
    board: boardSerial(SERIAL, k),
    ports: cables(model, k).map((neighbour, port) => ({ port, neighbour, up: true })),
  };
}

const NOT_TOLD = { path: 0, numa: 0, linkSpeedGts: 0, linkWidth: 0 };

// Where a GPU sits and what the bridges are called is the renderer's; pairs are looked at apart.
function comparable(seen: Inventory | ReturnType<typeof expected>): unknown {
  const { serial, numaCount, vcpu, memoryMib, diskGib, fabricManager } = seen;
  const gpus = seen.gpus.map(({ pciId, numa, linkSpeedGts, linkWidth, barBytes }) => {
    return { pciId, numa, linkSpeedGts, linkWidth, barBytes };
  });
  const nics = seen.nics.map((nic) => ({ ...nic, path: undefined }));
  const nvSwitches = seen.nvSwitches.map(({ pciId, numa }) => ({ pciId, numa }));
  const host = { serial, numaCount, vcpu, memoryMib, diskGib, fabricManager };
  return { ...host, gpus, nics, nvSwitches };
}

function expectPairsBySwitch({ gpus, nics, pairs }: Inventory, model: HardwareModel): void {
  expect(pairs).toHaveLength(indexes(model).length);
  for (const pair of pairs) {
    const gpu = gpus.find((one) => one.deviceId === pair.gpu)!;
    const nic = nics.find((one) => one.deviceId === pair.nic)!;
    expect(gpu.path.slice(0, -1)).toEqual(nic.path.slice(0, -1));
  }
}

function indexes(model: HardwareModel): readonly number[] {
  return Array.from({ length: model.sockets * model.switchesPerSocket }, (_, k) => k);
}

function cables(model: HardwareModel, k: number): readonly string[] {
  return Array.from({ length: model.nic.ports }, (_, port) => `leaf-${2 * k + port}`);
}

function prefetchable(ranges: HardwareModel["gpu"]["ranges"]): number {
  return ranges.filter((r) => r.prefetchable).reduce((sum, r) => sum + r.bytes, 0);
}

function anyModel(): fc.Arbitrary<HardwareModel> {
  const idFrom = (min: number) => fc.integer({ min, max: min + 0xfff }).map((n) => n.toString(16));
  const id = idFrom(0x4000);
  const bytes = fc.nat({ max: Math.log2(BIGGEST_GENERATED) - 12 }).map((n) => 2 ** (n + 12));
  const ranges = fc.array(fc.record({ bytes, prefetchable: fc.boolean() }), { maxLength: 3 });
  // Of two makers, or a NIC could be selected as a GPU.
  const device = (maker: number) => ({ vendor: idFrom(maker), device: id, ranges });
  const nic = fc.record({
    ...device(0x2000),
    vfDevice: id,
    vfRanges: ranges,
    ports: fc.integer({ min: 1, max: 2 }),
    portSpeedMbps: fc.constantFrom(25_000, 100_000, 400_000),
    vfsMax: fc.integer({ min: 1, max: 64 }),
    infiniband: fc.boolean(),
  });
  return fc.record({
    name: fc.constant("generated"),
    cpus: fc.integer({ min: 1, max: 300 }),
    memoryMib: fc.integer({ min: 1, max: 2 ** 22 }),
    sockets: fc.integer({ min: 1, max: 2 }),
    switchesPerSocket: fc.integer({ min: 1, max: 4 }),
    link: fc.record({
      speedGts: fc.constantFrom(8, 16, 32),
      width: fc.constantFrom(4, 8, 16),
    }),
    gpu: fc.record(device(0x3000)),
    nic,
    disk: fc.constant({ vendor: "144d", device: "a80a", sectors: 2 ** 30 }),
    nvSwitch: fc.constant({ vendor: "10de", device: "22a3", ranges: [] }),
    nvSwitches: fc.integer({ min: 0, max: 4 }),
    fabricManager: fc.boolean(),
  });
}
