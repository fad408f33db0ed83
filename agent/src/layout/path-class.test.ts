// Tests of the distances, and the proof over odd machines that a guest keeps them, that its bus
// numbers never collide and that its BARs fit.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DesiredInstance, Inventory, Layout } from "../model.js";
import { compileLayout } from "./layout.js";
import { busOf, distances, type Endpoint, PATH_CLASSES, pathClass } from "./path-class.js";

const at = (numa: number, ...path: string[]): Endpoint => ({ numa, path });

test("distances are judged as by NCCL, from near to far", () => {
  const gpu = { ...at(0, "r0", "u0", "d00", "u1", "d10"), nvlink: true };
  const others = [
    gpu,
    { ...at(1, "r9", "u9", "d9"), nvlink: true },
    at(0, "r0", "u0", "d00", "u1", "d11"),
    at(0, "r0", "u0", "d01", "u2", "d20"),
    at(0, "r1", "u3", "d30"),
    at(1, "r2", "u4", "d40"),
  ];
  expect(others.map((other) => pathClass(gpu, other))).toEqual([...PATH_CLASSES]);
});

test("a device without any switch reaches others by the host bridge", () => {
  expect(pathClass(at(0, "r0"), at(0, "r1"))).toBe("PHB");
  expect(pathClass(at(0, "r0", "u0", "d0"), at(0))).toBe("PHB");
  expect(pathClass(at(-1), at(-1))).toBe("PHB");
});

interface Machine {
  readonly inventory: Inventory;
  readonly instance: DesiredInstance;
}

/** Where a pair hangs: its switch, the NUMA node, and whether its NIC shares the switch. */
interface Place {
  readonly numa: number;
  readonly upper: number;
  readonly nested: boolean;
  readonly nic: "beside" | "above" | "elsewhere" | "other-numa";
  readonly vfs: number;
  readonly barPower: number;
}

const PLACE: fc.Arbitrary<Place> = fc.record({
  numa: fc.integer({ min: -1, max: 2 }),
  upper: fc.integer({ min: 0, max: 2 }),
  nested: fc.boolean(),
  nic: fc.constantFrom("beside", "above", "elsewhere", "other-numa"),
  vfs: fc.integer({ min: 0, max: 4 }),
  barPower: fc.integer({ min: 20, max: 38 }),
});

function gpuPath({ numa, upper, nested }: Place, k: number): string[] {
  const up = [`r${numa}.${upper}`, `u${numa}.${upper}`];
  const own = [...up, `d${k}`, `own${k}`, `own${k}.0`];
  return nested ? own : [`R${k}`, `own${k}`, `own${k}.0`];
}

function nicPath(place: Place, k: number): string[] {
  const path = gpuPath(place, k);
  if (place.nic === "beside") return [...path.slice(0, -1), `own${k}.1`];
  if (place.nic === "above" && place.nested) return [...path.slice(0, 2), `d${k}.nic`];
  return [`N${k}`];
}

function machineOf(places: readonly Place[]): Machine {
  const link = { linkSpeedGts: 32, linkWidth: 16 };
  const gpus = places.map((place, k) => ({
    ...{ deviceId: `gpu-${k}`, pciAddress: `0000:0${k}:00.0`, pciId: "10de:2330", ...link },
    ...{ numa: place.numa, path: gpuPath(place, k), barBytes: 2 ** place.barPower + 2 ** 20 },
  }));
  const nics = places.map((place, k) => ({
    ...{ deviceId: `nic-${k}`, pciAddress: `0000:1${k}:00.0`, pciId: "15b3:1021", ...link },
    ...{ numa: place.nic === "other-numa" ? place.numa + 1 : place.numa, path: nicPath(place, k) },
    ...{ barBytes: 2 ** 25, vfBarBytes: 3 * 2 ** 20, rdma: "", board: "", ports: [] },
    ...{ pfName: `eth${k}`, permanentMac: "", speedGbps: 400, vfsMax: 16 },
  }));
  const wishes = places.flatMap((place, pair) =>
    Array.from({ length: place.vfs }, (_, vf) => ({ pair, nic: `nic-${pair}`, vf })),
  );
  const attachments = wishes.map((wish, position) => ({ ...wish, position }));
  const inventory = {
    ...{ serial: "", bootId: "", numaCount: 2, vcpu: 8, memoryMib: 8, diskGib: 8, warnings: [] },
    ...{ gpus, nics, nvSwitches: [], fabricManager: false },
    pairs: places.map((_, k) => ({ gpu: `gpu-${k}`, nic: `nic-${k}` })),
  };
  const instance = { gpus: gpus.map((g) => g.deviceId), attachments };
  return { inventory, instance: instance as unknown as DesiredInstance };
}

test("on any machine distances stay, buses never collide and BARs fit", () => {
  fc.assert(
    fc.property(fc.array(PLACE, { minLength: 1, maxLength: 8 }), (places) => {
      const machine = machineOf(places);
      const result = compileLayout(machine.inventory, machine.instance);
      if (!result.ok) throw new Error(result.problem.message);
      expectSameDistances(machine, result.layout);
      expectDistinctBuses(result.layout);
      expectEnumeration(result.layout);
      expectFits(machine, result.layout);
    }),
  );
});

function expectSameDistances({ inventory }: Machine, layout: Layout): void {
  const { guest, host } = distances(inventory, layout);
  expect(host).toHaveLength(layout.gpus.length * layout.attachments.length);
  expect(guest).toEqual(host);
}

function expectDistinctBuses({ expanders, ports, gpus, attachments }: Layout): void {
  const buses = [...expanders.map((e) => e.bus), ...ports.map((p) => p.secondaryBus)];
  expect(new Set(buses).size).toBe(buses.length);
  const functions = [...gpus, ...attachments].map((f) => busOf(f.guestAddress));
  expect(new Set(functions).size).toBe(functions.length);
  expect(Math.max(...buses)).toBeLessThanOrEqual(0xff);
  for (const [i, { bus, lastBus }] of expanders.entries()) {
    expect(lastBus).toBeGreaterThanOrEqual(bus);
    expect(bus).toBeGreaterThan(expanders[i - 1]?.lastBus ?? 0x0f);
  }
}

/** What firmware does: down each bus slot by slot, the next number for each bridge met. */
function expectEnumeration({ expanders, ports }: Layout): void {
  const found: number[] = [];
  const scan = (bus: number): void => {
    const here = ports.filter((p) => p.bus === bus).sort((a, b) => a.slot - b.slot);
    expect(here.map((p) => p.slot)).toEqual(here.map((_, i) => i));
    for (const port of here) {
      found.push(port.secondaryBus);
      scan(port.secondaryBus);
    }
  };
  for (const { bus, lastBus } of expanders) {
    found.length = 0;
    scan(bus);
    expect(found).toEqual(found.map((_, i) => bus + 1 + i));
    expect(bus + found.length).toBe(lastBus);
  }
}

/** Places every BAR at its natural alignment, the bridges in mebibytes, largest first. */
function expectFits({ inventory }: Machine, layout: Layout): void {
  const bytesAt = new Map<number, number>();
  for (const { deviceId, guestAddress } of layout.gpus) {
    const gpu = inventory.gpus.find((g) => g.deviceId === deviceId);
    bytesAt.set(busOf(guestAddress), gpu!.barBytes);
  }
  for (const { nic, guestAddress } of layout.attachments) {
    bytesAt.set(busOf(guestAddress), inventory.nics.find((n) => n.deviceId === nic)!.vfBarBytes);
  }
  const place = (bus: number, from: number): number => {
    let free = from;
    for (const bar of barsOf(bytesAt.get(bus) ?? 0)) free = up(free, bar) + bar;
    const below = layout.ports.filter((p) => p.bus === bus).map((p) => p.secondaryBus);
    const largest = (b: number): number =>
      Math.max(
        ...barsOf(bytesAt.get(b) ?? 0),
        2 ** 20,
        ...layout.ports.filter((p) => p.bus === b).map((p) => largest(p.secondaryBus)),
      );
    for (const b of below.sort((x, y) => largest(y) - largest(x))) {
      free = up(place(b, up(free, largest(b))), 2 ** 20);
    }
    return free;
  };
  let end = 0;
  for (const { bus } of layout.expanders) end = place(bus, up(end, 2 ** 20));
  expect(end).toBeLessThanOrEqual(layout.mmioBytes);
}

/** A sum of BARs as powers of two, largest first. */
function barsOf(bytes: number): number[] {
  const bars: number[] = [];
  let rest = bytes;
  for (let power = 2 ** 40; rest > 0; power /= 2) {
    if (power > rest) continue;
    bars.push(power);
    rest -= power;
  }
  return bars;
}

function up(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
