// Tests of the module numbers that placement counts on, the machine's own, else by PCI address; and
// of machines that are not divided as their kind is.
import { expect, test } from "vitest";
import type { Node } from "../domain/node.js";
import type { HardwareKind } from "../domain/physical-cluster.js";
import { fleetNode } from "./fleet-node.js";

const KIND = {
  gpus: { count: 8, model: "H100" },
  nics: { vfs: 16, speedGbps: 400 },
} as unknown as HardwareKind;

/** The module numbers of three pairs whose GPUs were told these. */
function modules(told: readonly (number | undefined)[]): number[] {
  const gpus = told.map((module, k) => ({
    ...{ deviceId: `gpu-${k}`, pciAddress: `0000:${k + 1}0:00.0` },
    ...(module !== undefined && { module }),
  }));
  const pairs = gpus.map(({ deviceId }, k) => ({ gpu: deviceId, nic: `nic-${k}`, rail: k }));
  const node = { inventory: { gpus }, pairs, mismatches: [] } as unknown as Node;
  const around = { kind: KIND, claims: undefined, leaseFresh: true };
  return fleetNode(node, around).pairs.map(({ module }) => module);
}

test("modules are what the machine tells", () => {
  expect(modules([4, 6, 0])).toEqual([4, 6, 0]);
});

test.each([
  ["one is not told", [4, undefined, 0]],
  ["two are the same", [4, 4, 0]],
  ["one is out of bounds", [4, 99, 0]],
])("they go by address when %s", (_, told) => {
  expect(modules(told)).toEqual([0, 1, 2]);
});

test.each([
  ["can be divided", { fabricManager: true }, true],
  ["did not tell yet", {}, true],
  ["has no Fabric Manager that can be told", { fabricManager: false }, false],
])("a machine of a divided kind that %s", (_, told, isDivided) => {
  const kind = { ...KIND, nvSwitch: true, fabricManager: true };
  const inventory = { gpus: [], ...told };
  const node = { inventory, pairs: [], mismatches: [] } as unknown as Node;
  const { legalSets } = fleetNode(node, { kind, claims: undefined, leaseFresh: true });
  expect(legalSets.length > 1).toBe(isDivided);
  expect(legalSets[0]).toBe(255);
});
