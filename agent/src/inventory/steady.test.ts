// Shows when a link is believed.
import { ManualClock } from "@railyard/lib/clock";
import { beforeEach, expect, test } from "vitest";
import type { Inventory } from "../model.js";
import { steadyLinks } from "./steady.js";

let clock: ManualClock;
let steady: (inventory: Inventory) => Inventory;
beforeEach(() => {
  clock = new ManualClock();
  steady = steadyLinks(clock);
});

test("a link that goes down and comes back is believed at once, both ways", () => {
  expect([true, false, true].map(look)).toEqual([true, false, true]);
});

test("a link that went down three times counts as down, and is told of once", async () => {
  for (const up of [true, false, true, false, true, false]) look(up);
  const seen = steady(inventory(true));
  expect(seen.nics[0]).toMatchObject({ speedGbps: 200, ports: [{ up: false }, { up: true }] });
  expect(seen.nics[0]!.ports[0]!.neighbour).toBe("");
  expect(seen.warnings.map((w) => w.kind)).toEqual(["link-flapping"]);
  // Each further turn changes nothing that is told.
  for (const up of [false, true, false, true])
    expect(steady(inventory(up)).nics[0]!.ports[0]!.up).toBe(false);
});

test("a link that flapped is believed again once it stayed up for a minute", async () => {
  for (const up of [true, false, true, false, true, false, true]) look(up);
  await clock.advance(59_000);
  expect(look(true)).toBe(false);
  await clock.advance(1_000);
  expect(look(true)).toBe(true);
  expect(steady(inventory(true))).toEqual(inventory(true));
});

test("falls that lie far apart are no flapping", async () => {
  for (let fall = 0; fall < 5; fall++) {
    look(false);
    expect(look(true)).toBe(true);
    await clock.advance(200_000);
  }
});

function look(up: boolean): boolean | undefined {
  return steady(inventory(up)).nics[0]?.ports[0]?.up;
}

function inventory(up: boolean): Inventory {
  const linked = { path: [], linkSpeedGts: 32, linkWidth: 16, barBytes: 0, vfBarBytes: 0 };
  const ids = { deviceId: "nic-1", pciAddress: "0000:10:00.0", pciId: "15b3:1021", numa: 0 };
  const nic = { pfName: "eth0", permanentMac: "", vfsMax: 8, rdma: "", board: "" };
  const ports = [
    { port: 0, neighbour: up ? "leaf-1" : "", up },
    { port: 1, neighbour: "leaf-2", up: true },
  ];
  const speedGbps = up ? 400 : 200;
  return {
    ...{ serial: "S1", bootId: "b", numaCount: 1, vcpu: 1, memoryMib: 1, diskGib: 1 },
    ...{ gpus: [], nvSwitches: [], fabricManager: false, pairs: [], warnings: [] },
    nics: [{ ...linked, ...ids, ...nic, speedGbps, ports }],
  };
}
