// Shows that an inventory follows from facts alone, and that each model of the made-up machine
// comes back out of its tree as it went in.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { describe, expect, test } from "vitest";
import { createFakeHardware } from "./hardware/fake/fake.js";
import { findModel, MODEL_NAMES } from "./hardware/fake/models.js";
import { portGuid } from "./hardware/fake/nic.js";
import { permanentMac } from "./hardware/fake/places.js";
import type { MachineFacts, NetInterface, PciFunction } from "./hardware/hardware.js";
import { inventoryOf } from "./inventory.js";

describe.each(MODEL_NAMES)("a machine of model %s", (name) => {
  const model = findModel(name)!;
  const count = model.sockets * model.switchesPerSocket;
  const { ports, infiniband } = model.nic;
  const cabling = Array.from({ length: count }, (_, k) =>
    [`leaf-${2 * k}`, `leaf-${2 * k + 1}`].slice(0, ports),
  );

  async function discover() {
    const dir = mkdtempSync(join(tmpdir(), "railyard-inventory-"));
    const clock = new ManualClock();
    const hardware = createFakeHardware({ dir, model: name, serial: "GH1001", cabling, clock });
    const inventory = inventoryOf(await hardware.readFacts());
    rmSync(dir, { recursive: true });
    return inventory;
  }

  test("is discovered as what it was made from", async () => {
    const inventory = await discover();
    expect(inventory).toMatchObject({
      serial: "GH1001",
      numaCount: model.sockets,
      vcpu: model.cpus,
      memoryMib: model.memoryMib,
      warnings: [],
    });
    expect(inventory.bootId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(inventory.diskGib).toBe(Math.floor((count * model.disk.sectors) / 2 ** 21));
    expect(inventory.gpus.map((gpu) => gpu.pciId)).toEqual(
      cabling.map(() => `${model.gpu.vendor}:${model.gpu.device}`),
    );
    expect(inventory.nics).toHaveLength(count);
    expect(inventory.pairs).toHaveLength(count);
    const ids = inventory.nics.map((nic) => nic.deviceId);
    expect(ids).toEqual([...ids].sort());
  });

  test("tells each NIC by its MAC or its port's GUID, with its cables and its socket", async () => {
    const inventory = await discover();
    cabling.forEach((leaves, k) => {
      const mac = permanentMac("GH1001", k, 0);
      const key = infiniband ? portGuid(mac) : mac.replaceAll(":", "");
      const nic = inventory.nics.find((n) => n.deviceId === `nic-${key}`)!;
      expect(nic).toMatchObject({
        permanentMac: infiniband ? "" : mac,
        pciId: `${model.nic.vendor}:${model.nic.device}`,
        numa: Math.floor(k / model.switchesPerSocket),
        speedGbps: 400,
        vfsMax: model.nic.vfsMax,
        ports: leaves.map((neighbour, port) => ({ port, neighbour, up: true })),
      });
    });
  });

  test("pairs each GPU with the NIC on its own switch, wherever the addresses fall", async () => {
    const inventory = await discover();
    for (const { gpu, nic } of inventory.pairs) {
      const [a, b] = [
        inventory.gpus.find((g) => g.deviceId === gpu)!,
        inventory.nics.find((n) => n.deviceId === nic)!,
      ];
      expect(a.pciAddress.slice(0, 6)).toBe(b.pciAddress.slice(0, 6));
      expect(a.numa).toBe(b.numa);
    }
  });
});

const [R, U] = ["0000:00:01.0", "0000:01:00.0"];

test("two GPUs and two NICs below one switch are not paired by their order", () => {
  const inventory = inventoryOf(
    facts({
      gpus: [
        [R, U],
        [R, U],
      ],
      nics: [
        [R, U],
        [R, U],
      ],
    }),
  );
  expect(inventory.pairs).toEqual([]);
  expect(inventory.warnings.map((w) => w.kind)).toEqual(Array(4).fill("ambiguous-switch"));
});

test("devices that share a root port only, or nothing, are not paired", () => {
  const inventory = inventoryOf(
    facts({ gpus: [[R, "0000:02:00.0"]], nics: [[R, "0000:03:00.0"]] }),
  );
  expect(inventory.pairs).toEqual([]);
  expect(inventory.warnings.map((w) => w.kind)).toEqual(["no-common-switch", "no-common-switch"]);
});

test("the nearest switch wins where one hangs below another", () => {
  const [near, far] = [
    [R, U, "0000:02:00.0", "0000:03:00.0"],
    [R, U, "0000:02:01.0"],
  ];
  const inventory = inventoryOf(facts({ gpus: [far, near], nics: [near, far] }));
  expect(inventory.pairs).toEqual([
    { gpu: "gpu-0000:a0:00.0", nic: "nic-b80000000001" },
    { gpu: "gpu-0000:a1:00.0", nic: "nic-b80000000000" },
  ]);
});

test.each(["", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "NA", "01:00:00:00:00:01"])(
  "a NIC whose MAC reads %j is named by its slot, with a warning",
  (permanentMac) => {
    const base = facts({ gpus: [], nics: [[R, U]] });
    const interfaces = base.interfaces.map((one) => ({ ...one, permanentMac }));
    const inventory = inventoryOf({ ...base, interfaces });
    expect(inventory.nics[0]!.deviceId).toBe("nic-0000:b0:00.0");
    expect(inventory.warnings[0]).toMatchObject({
      kind: "placeholder-mac",
      deviceId: "nic-0000:b0:00.0",
    });
  },
);

test("two NICs with one MAC are both named by their slots", () => {
  const base = facts({
    gpus: [],
    nics: [
      [R, U],
      [R, U],
    ],
  });
  const interfaces = base.interfaces.map((one) => ({ ...one, permanentMac: "b8:00:00:00:00:07" }));
  const inventory = inventoryOf({ ...base, interfaces });
  expect(inventory.nics.map((n) => n.deviceId)).toEqual(["nic-0000:b0:00.0", "nic-0000:b1:00.0"]);
  expect(inventory.warnings.filter((w) => w.kind === "duplicate-mac")).toHaveLength(2);
});

test.each([
  "",
  "NA",
  "n/a",
  "None",
  "To Be Filled By O.E.M.",
  "Default string",
  "0000000",
  "System Serial Number",
])("the serial %j is no serial", (serial) => {
  const inventory = inventoryOf({ ...facts({ gpus: [], nics: [] }), serial });
  expect(inventory.serial).toBe("");
  expect(inventory.warnings[0]!.kind).toBe("placeholder-serial");
});

test("VFs, plain NICs and display adapters, and NVSwitches are neither GPUs nor NICs", () => {
  const functions = [
    { ...fn("0000:01:00.0", "020000", []), pf: "0000:00:00.0", vfsMax: 0 },
    { ...fn("0000:02:00.0", "020000", []), vfsMax: 0 },
    { ...fn("0000:03:00.0", "030000", []), vendor: "10de" },
    { ...fn("0000:04:00.0", "068000", []), vendor: "10de", device: "22a3" },
  ];
  const inventory = inventoryOf({ ...facts({ gpus: [], nics: [] }), functions });
  expect([inventory.gpus, inventory.nics]).toEqual([[], []]);
});

test("a stand-in GPU is found by an exact selector, whatever its class", () => {
  const functions = [{ ...fn("0000:03:00.0", "00ff00", []), vendor: "1b36", device: "0005" }];
  const base = { ...facts({ gpus: [], nics: [] }), functions };
  expect(inventoryOf(base).gpus).toEqual([]);
  expect(inventoryOf(base, { gpus: ["1b36:*"] }).gpus).toEqual([]);
  expect(inventoryOf(base, { gpus: ["1b36:0005"] }).gpus[0]!.pciId).toBe("1b36:0005");
});

function facts(paths: {
  readonly gpus: readonly (readonly string[])[];
  readonly nics: readonly (readonly string[])[];
}): MachineFacts {
  const gpus = paths.gpus.map((path, i) => fn(`0000:a${i}:00.0`, "030200", path));
  const nics = paths.nics.map((path, i) => ({
    ...fn(`0000:b${i}:00.0`, "020000", path),
    vfsMax: 8,
  }));
  const interfaces: NetInterface[] = nics.map(({ address }, i) => ({
    name: `eth${i}`,
    pciAddress: address,
    permanentMac: `b8:00:00:00:00:0${i}`,
    speedMbps: 400_000,
    ports: [],
  }));
  const amounts = { cpus: 8, memoryMib: 1024, diskGib: 10 };
  const rest = { rdma: [], boardSerials: {}, fabricManager: false, oddities: [] };
  const functions = [...gpus, ...nics];
  return { serial: "S1", bootId: "b", ...amounts, ...rest, functions, interfaces };
}

function fn(address: string, classCode: string, path: readonly string[]): PciFunction {
  const ids = { vendor: classCode === "030200" ? "10de" : "15b3", device: "2330" };
  const rest = { numa: 0, iommuGroup: address, driver: "", vfsMax: 0, vfCount: 0, vfs: [] };
  const link = { linkSpeedGts: 32, linkWidth: 16, linkMax: { speedGts: 32, width: 16 } };
  const registers = { bars: [], vfBars: [], answers: true };
  return { address, ...ids, classCode, ...rest, path, pf: undefined, ...link, ...registers };
}
