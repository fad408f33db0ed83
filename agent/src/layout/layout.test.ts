// Tests of the layout: order, numbering, and every problem it answers.
import { expect, test } from "vitest";
import type { DesiredAttachment, DesiredInstance, Inventory, Layout } from "../model.js";
import { compileLayout } from "./layout.js";
import { busOf } from "./path-class.js";

/** `pairs` GPUs and NICs, the first half on NUMA node 0. */
function inventory(pairs = 8, numaOf = (k: number) => Math.floor(k / (pairs / 2))): Inventory {
  const ks = Array.from({ length: pairs }, (_, k) => k);
  return {
    serial: "S1",
    bootId: "b",
    numaCount: 2,
    vcpu: 160,
    memoryMib: 1024,
    diskGib: 1,
    gpus: ks.map((k) => ({
      deviceId: `gpu-${k}`,
      pciAddress: `0000:0${k}:00.0`,
      pciId: "10de:2330",
      numa: numaOf(k),
      path: [`root-${k}`, `up-${k}`, `down-${k}-0`],
      linkSpeedGts: 32,
      linkWidth: 16,
      barBytes: 2 ** 37,
    })),
    nics: ks.map((k) => ({
      deviceId: `nic-${k}`,
      pciAddress: `0000:1${k}:00.0`,
      pciId: "15b3:1021",
      numa: numaOf(k),
      path: [`root-${k}`, `up-${k}`, `down-${k}-1`],
      linkSpeedGts: 32,
      linkWidth: 16,
      barBytes: 2 ** 25,
      vfBarBytes: 2 ** 20,
      rdma: "",
      board: "",
      pfName: `eth${k}`,
      permanentMac: `00:00:00:00:00:0${k}`,
      speedGbps: 400,
      vfsMax: 16,
      ports: [],
    })),
    nvSwitches: [],
    fabricManager: false,
    pairs: ks.map((k) => ({ gpu: `gpu-${k}`, nic: `nic-${k}` })),
    warnings: [],
  };
}

function instance(count: number, strided = false, gpus = 8): DesiredInstance {
  const per = count / gpus;
  const attachments = Array.from({ length: count }, (_, p): DesiredAttachment => {
    const pair = strided ? p % gpus : Math.floor(p / per);
    return {
      attachmentId: `a${p}`,
      position: p,
      rail: pair,
      pair,
      nic: `nic-${pair}`,
      vf: strided ? Math.floor(p / gpus) : p % per,
      mac: `02:00:00:00:00:${p.toString(16).padStart(2, "0")}`,
      address: `10.0.0.${p + 5}/24`,
      isolation: { kind: "vlan", id: 100 },
      rateMbps: 400_000 / per,
      mtu: 9000,
      spoofCheck: true,
    };
  });
  return {
    instanceId: "ins-1",
    name: "one",
    bootCount: 1,
    vcpu: 8,
    memoryMib: 1024,
    gpus: Array.from({ length: gpus }, (_, k) => `gpu-${k}`),
    attachments,
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    volumes: [],
    vpcNics: [],
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
    userData: new Uint8Array(),
    sshKeys: [],
  };
}

function laidOut(of: DesiredInstance, on = inventory()): Layout {
  const result = compileLayout(on, of);
  if (!result.ok) throw new Error(result.problem.message);
  return result.layout;
}

function isAscending(addresses: readonly string[]): boolean {
  return addresses.every((a, i) => i === 0 || (addresses[i - 1] ?? "") < a);
}

test.each([8, 16, 32])("%i blocked attachments: guest bus order is position order", (count) => {
  const { gpus, attachments } = laidOut(instance(count));
  expect(attachments.map((a) => a.position)).toEqual([...Array(count).keys()]);
  expect(isAscending(attachments.map((a) => a.guestAddress))).toBe(true);
  expect(isAscending(gpus.map((g) => g.guestAddress))).toBe(true);
});

test.each([8, 16, 32])("%i attachments: a pair's gpu comes right before its vfs", (count) => {
  const of = instance(count);
  const { gpus, attachments } = laidOut(of);
  for (const [pair, gpu] of gpus.entries()) {
    const mine = attachments.filter((a) => of.attachments[a.position]?.pair === pair);
    const buses = mine.map((a) => busOf(a.guestAddress));
    expect(buses).toEqual(mine.map((_, i) => busOf(gpu.guestAddress) + 1 + i));
  }
});

test("expanders ascend with the numa node and never overlap", () => {
  const { expanders } = laidOut(instance(32));
  expect(expanders.map((e) => e.numa)).toEqual([0, 1]);
  expect(expanders.map((e) => e.bus)).toEqual([0x10, 0x2d]);
  expect(expanders.map((e) => e.lastBus)).toEqual([0x2c, 0x49]);
  expect(expanders.map((e) => e.guestNuma)).toEqual([0, 1]);
});

test("strided attachments sit below their own pair's switch", () => {
  const { gpus, attachments } = laidOut(instance(16, true));
  const second = attachments.slice(8).map((a) => a.guestAddress);
  expect(attachments.slice(0, 8).every((a, i) => a.guestAddress < (second[i] ?? ""))).toBe(true);
  expect((attachments[8]?.guestAddress ?? "") < (gpus[1]?.guestAddress ?? "")).toBe(true);
});

test("pairs that alternate between numa nodes keep their order below each expander", () => {
  const { gpus, expanders } = laidOut(
    instance(8),
    inventory(8, (k) => k % 2),
  );
  const numaOf = (address: string) =>
    expanders.find(({ bus, lastBus }) => bus < busOf(address) && busOf(address) <= lastBus)?.numa;
  expect(gpus.map((g) => numaOf(g.guestAddress))).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  expect(gpus.map((g) => g.deviceId)).toEqual(instance(8).gpus);
  for (const odd of [0, 1]) {
    const mine = gpus.filter((_, k) => k % 2 === odd).map((g) => g.guestAddress);
    expect(isAscending(mine)).toBe(true);
  }
});

test("the same input gives the same layout", () => {
  expect(laidOut(instance(32))).toEqual(laidOut(instance(32)));
});

test("an instance without attachments has its gpus laid out", () => {
  expect(laidOut(instance(0)).gpus.map((g) => g.guestAddress)[0]).toBe("0000:13:00.0");
});

function changed(change: Partial<DesiredAttachment>, at = 1): DesiredInstance {
  const of = instance(16);
  const attachments = of.attachments.map((a, i) => (i === at ? { ...a, ...change } : a));
  return { ...of, attachments };
}

const PROBLEMS: readonly (readonly [string, DesiredInstance, string])[] = [
  ["a gpu that is not there", { ...instance(8), gpus: ["gpu-x"] }, "device-missing"],
  ["a nic that is not there", changed({ nic: "nic-x" }), "device-missing"],
  ["a gpu listed twice", { ...instance(0), gpus: ["gpu-0", "gpu-0"] }, "inconsistent"],
  ["a gap in the positions", changed({ position: 5 }), "inconsistent"],
  ["a pair that is not one", changed({ nic: "nic-3" }), "inconsistent"],
  ["a pair out of range", changed({ pair: 9 }), "inconsistent"],
  ["vf order against position order", changed({ vf: 0 }), "inconsistent"],
  ["a vf beyond the device", changed({ vf: 16 }), "inconsistent"],
];

test.each(PROBLEMS)("%s is answered as a problem", (_, of, kind) => {
  expect(compileLayout(inventory(), of)).toMatchObject({ ok: false, problem: { kind } });
});

const NVSWITCHES = [0, 1].map((k) => ({
  deviceId: `nvswitch-${k}`,
  pciAddress: `0000:c${k}:00.0`,
  pciId: "10de:22a3",
  numa: 0,
  path: ["root-n", "up-n", `down-n-${k}`],
}));

test("an instance with every gpu of the machine gets all nvswitches, behind one switch", () => {
  const machine = { ...inventory(), nvSwitches: NVSWITCHES };
  const { nvSwitches, gpus } = laidOut(instance(8), machine);
  expect(nvSwitches.map((s) => s.deviceId)).toEqual(["nvswitch-0", "nvswitch-1"]);
  const [first, second] = nvSwitches.map((s) => busOf(s.guestAddress));
  expect(second).toBe(first! + 1);
  // The last of NUMA node 0, before those of node 1.
  expect(busOf(gpus[3]!.guestAddress) < first! && second! < busOf(gpus[4]!.guestAddress)).toBe(
    true,
  );
});

test("a share of the machine gets no nvswitch", () => {
  const machine = { ...inventory(), nvSwitches: NVSWITCHES };
  expect(laidOut(instance(4, false, 4), machine).nvSwitches).toEqual([]);
});

test("more devices than the guest can address are answered as a problem", () => {
  const gpus = inventory().gpus.map((g) => ({ ...g, barBytes: 2 ** 43 }));
  const result = compileLayout({ ...inventory(), gpus }, instance(8));
  expect(result).toMatchObject({ ok: false, problem: { kind: "addresses-exhausted" } });
});

test("more functions below one switch than it has slots are answered as a problem", () => {
  const nics = inventory(1).nics.map((n) => ({ ...n, vfsMax: 64 }));
  const result = compileLayout({ ...inventory(1), nics }, instance(40, false, 1));
  expect(result).toMatchObject({ ok: false, problem: { kind: "slots-exhausted" } });
});

test("more functions than bus numbers are answered as a problem", () => {
  const nics = inventory().nics.map((n) => ({ ...n, vfsMax: 64 }));
  const result = compileLayout({ ...inventory(), nics }, instance(256));
  expect(result).toMatchObject({ ok: false, problem: { kind: "buses-exhausted" } });
});
