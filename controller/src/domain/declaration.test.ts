// A machine against its declaration: what is a mismatch, and which rail it spoils.
import { expect, test } from "vitest";
import { type Declaration, judge, type Seen } from "./declaration.js";
import type { NodeInventory } from "./node.js";

const RAILS = Array.from({ length: 4 }, (_, rail) => ({
  rail,
  leaves: [`leaf-${2 * rail + 1}`, `leaf-${2 * rail + 2}`],
}));

const DECLARED: Declaration = {
  serial: "GH1",
  hardware: {
    name: "hgx",
    vcpu: 64,
    memoryGib: 4,
    diskGib: 10,
    gpus: { count: 4, pci: "10de:2330", model: "H100" },
    nics: { count: 4, pci: "15b3:1021", ports: 2, speedGbps: 400, vfs: 16 },
    pairing: "pcie-switch",
    iommu: "strict",
    lab: false,
  },
  rails: RAILS,
  cabling: [],
};

type Nic = NodeInventory["nics"][number];

function nic(k: number, leaves: readonly string[] = RAILS[k]!.leaves): Nic {
  return {
    deviceId: `nic-${k}`,
    pciAddress: `0000:${k}0:00.0`,
    pciId: "15b3:1021",
    numa: 0,
    pfName: `pf${k}`,
    permanentMac: `02:00:00:00:00:0${k}`,
    speedGbps: 400,
    vfsMax: 16,
    ports: leaves.map((neighbour, port) => ({ port, neighbour, up: neighbour !== "" })),
  };
}

function seen(change: (nics: Nic[]) => void = () => undefined): Seen {
  const nics = [0, 1, 2, 3].map((k) => nic(k));
  change(nics);
  const gpus = [0, 1, 2, 3].map((k) => {
    return { deviceId: `gpu-${k}`, pciAddress: `0000:${k}1:00.0`, pciId: "10de:2330", numa: 0 };
  });
  const pairs = gpus.map(({ deviceId }, k) => ({ gpu: deviceId, nic: `nic-${k}` }));
  const amounts = { numaCount: 1, vcpu: 64, memoryMib: 4096, diskGib: 10 };
  return { serial: "GH1", inventory: { ...amounts, gpus, nics, pairs, warnings: [] } };
}

function healthyRails(of: Seen, declared = DECLARED): (number | string)[] {
  return judge(declared, of).pairs.map(({ rail, healthy }) => (healthy ? rail : `${rail} bad`));
}

test("a machine as declared has no mismatch and all its rails", () => {
  expect(judge(DECLARED, seen()).mismatches).toEqual([]);
  expect(healthyRails(seen())).toEqual([0, 1, 2, 3]);
});

test("the order in which NICs were discovered does not matter", () => {
  expect(healthyRails(seen((nics) => nics.reverse()))).toEqual([0, 1, 2, 3]);
});

test("swapped NICs have the rails that their cables say, and only those are spoiled", () => {
  const swapped = seen((nics) => {
    nics[1] = nic(1, RAILS[2]!.leaves);
    nics[2] = nic(2, RAILS[1]!.leaves);
  });
  const { mismatches, pairs } = judge(DECLARED, swapped);
  expect(mismatches.every(({ kind }) => kind === "wiring-swapped")).toBe(true);
  expect(pairs.map(({ rail, nic: id }) => [rail, id])).toEqual([
    [0, "nic-0"],
    [1, "nic-2"],
    [2, "nic-1"],
    [3, "nic-3"],
  ]);
  expect(healthyRails(swapped)).toEqual([0, "1 bad", "2 bad", 3]);
});

test("cables exchanged on purpose are right when the declaration writes them out", () => {
  const swapped = seen((nics) => {
    nics[1] = nic(1, RAILS[2]!.leaves);
    nics[2] = nic(2, RAILS[1]!.leaves);
  });
  const cabling = [1, 2].flatMap((rail) =>
    RAILS[3 - rail]!.leaves.map((leaf, port) => ({ rail, port, leaf })),
  );
  expect(judge({ ...DECLARED, cabling }, swapped).mismatches).toEqual([]);
  expect(healthyRails(swapped, { ...DECLARED, cabling })).toEqual([0, 1, 2, 3]);
});

test("a NIC whose two ports are exchanged is spoiled on its rail alone", () => {
  const of = seen((nics) => void nics.splice(0, 1, nic(0, ["leaf-2", "leaf-1"])));
  expect(judge(DECLARED, of).mismatches).toHaveLength(2);
  expect(healthyRails(of)).toEqual(["0 bad", 1, 2, 3]);
});

test("a missing neighbour and a strange one spoil their rail and say which", () => {
  const of = seen((nics) => void nics.splice(3, 1, nic(3, ["", "leaf-99"])));
  expect(judge(DECLARED, of).mismatches).toEqual([
    { kind: "wiring-missing", rail: 3, expected: "port 0: leaf-7", seen: "port 0: " },
    { kind: "wiring-unknown", rail: 3, expected: "port 1: leaf-8", seen: "port 1: leaf-99" },
  ]);
  expect(healthyRails(of)).toEqual([0, 1, 2, "3 bad"]);
});

test("another serial, another count and too little memory spoil the node", () => {
  const base = seen();
  const inventory = { ...base.inventory, memoryMib: 1, gpus: base.inventory.gpus.slice(1) };
  const { mismatches } = judge(DECLARED, { serial: "XX", inventory });
  const whole = mismatches.filter(({ rail }) => rail === undefined).map(({ kind }) => kind);
  expect(whole).toEqual(["serial", "gpu-count", "memory"]);
});

test("a wrong device, too few VFs, another speed and a lone NIC spoil one rail each", () => {
  const base = seen((nics) => {
    nics[0] = { ...nic(0), pciId: "8086:1" };
    nics[1] = { ...nic(1), vfsMax: 4 };
    nics[2] = { ...nic(2), speedGbps: 200 };
  });
  const pairs = base.inventory.pairs.filter((pair) => pair.nic !== "nic-3");
  const of = { ...base, inventory: { ...base.inventory, pairs } };
  const { mismatches } = judge(DECLARED, of);
  expect(mismatches.map(({ kind, rail }) => [kind, rail])).toEqual([
    ["nic-device", 0],
    ["nic-vfs", 1],
    ["nic-speed", 2],
    ["pairing", 3],
  ]);
  expect(healthyRails(of)).toEqual(["0 bad", "1 bad", "2 bad"]);
});

test("a device that shares its IOMMU group spoils its rail, unless groups may be shared", () => {
  const sound = seen();
  const message = "0000:21:00.0 shares IOMMU group 7 with 0000:20:00.0";
  const warnings = [{ kind: "iommu-group-shared", deviceId: "gpu-2", message }];
  const shared = { ...sound, inventory: { ...sound.inventory, warnings } };
  expect(judge(DECLARED, shared).mismatches).toEqual([
    { kind: "iommu", rail: 2, expected: "a group for each function", seen: message },
  ]);
  expect(healthyRails(shared)).toEqual([0, 1, "2 bad", 3]);
  const hardware = { ...DECLARED.hardware, iommu: "shared" as const, lab: true };
  expect(judge({ ...DECLARED, hardware }, shared).mismatches).toEqual([]);
});
