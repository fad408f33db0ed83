// What is made of a QEMU's answers, which somebody else may have come to give.

import { asRailyardError } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { askGuest } from "./observe.js";
import type { Qmp } from "./qmp.js";

const ARGS = ["-device", "vfio-pci,id=fn,host=0000:3b:00.2,bus=bus11"];
const DEVICE = { bus: 0x11, slot: 0, function: 0, qdev_id: "fn" };
const SANE: Readonly<Record<string, unknown>> = {
  "query-status": { running: true },
  "query-cpus-fast": [{}, {}],
  "query-memory-size-summary": { "base-memory": 64 * 1024 ** 2 },
  "query-pci": [{ devices: [{ ...DEVICE, bus: 0, pci_bridge: { devices: [DEVICE] } }] }],
};

function saying(answers: Readonly<Record<string, unknown>>): Qmp {
  return {
    execute: async (command) => ({ ...SANE, ...answers })[command],
    event: async () => {},
  };
}

test("a guest is told with the addresses at which it has its functions", async () => {
  expect(await askGuest(saying({}), ARGS)).toEqual({
    ...{ running: true, vcpu: 2, memoryMib: 64 },
    functions: [{ guestAddress: "0000:11:00.0", hostAddress: "0000:3b:00.2" }],
  });
});

const deep = { ...DEVICE };
for (let below: object = deep, level = 0; level < 100_000; level++) {
  const next = { ...DEVICE };
  Object.assign(below, { pci_bridge: { devices: [next] } });
  below = next;
}

test.each<[string, unknown]>([
  ["query-status", null],
  ["query-cpus-fast", { length: "many" }],
  ["query-memory-size-summary", null],
  ["query-memory-size-summary", { "base-memory": "much" }],
  ["query-pci", [{ devices: [null] }]],
  ["query-pci", [{ devices: [deep] }]],
])("an answer to %s without sense is the one guest's trouble: %#", async (command, answer) => {
  const outcome = await askGuest(saying({ [command]: answer }), ARGS).catch(asRailyardError);
  expect(outcome).toMatchObject({ code: "unavailable" });
});

test("an address that is none is no place of a function", async () => {
  const devices = [{ ...DEVICE, function: "0".repeat(1_000_000) }];
  expect(await askGuest(saying({ "query-pci": [{ devices }] }), ARGS)).toMatchObject({
    running: false,
    functions: [{ guestAddress: "0000:11:00.0" }],
  });
});
