// How scattered free room is, held to placing: what is said to fit is what can be placed, one gang
// after another, until nothing fits any more.
import type { FleetNode, PlacementRequest } from "@railyard/controller/placement/fleet";
import { FleetIndex } from "@railyard/controller/placement/fleet-index";
import { fragmentationOf } from "@railyard/controller/placement/fragmentation";
import { type Ask, roomFor, take, tryAsk } from "@railyard/controller/placement/trial";
import type { InstanceId, PhysicalClusterId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { indexOf } from "./fleets.js";
import { someNodes } from "./gangs.js";

const CLUSTER = "pc-a" as PhysicalClusterId;

function member(gpuCount: number): PlacementRequest {
  return {
    ...{ instanceId: "ins-1" as InstanceId, zone: "z1", physicalClusterId: CLUSTER },
    ...{ gpuModel: "H100", gpuCount, rails: undefined, attachmentCount: 0, pinned: [] },
    ...{ vcpu: 0, memoryMib: 0, diskGib: 0, previousNodeId: undefined },
    ...{ previousLeafGroup: undefined, exclude: [], seed: "s" },
  };
}

/** All in one cluster; what is free of them is well. */
function here(nodes: readonly FleetNode[]): readonly FleetNode[] {
  return nodes.map((node) => ({
    ...{ ...node, zone: "z1", physicalClusterId: CLUSTER, gpuModel: "H100" },
    pairs: node.pairs.map((pair) => ({ ...pair, healthy: true })),
  }));
}

/** How many gangs of so many can be placed, each within one leaf group, one after another. */
function placedOneByOne(nodes: readonly FleetNode[], gpus: number, count: number): number {
  const fleet = new FleetIndex(indexOf(nodes));
  const gang = { member: member(gpus), count, maxLeafGroups: 1, segmentSize: undefined };
  const ask: Ask = { kind: "gang", gang };
  for (let placed = 0; ; placed++) {
    const trial = tryAsk(fleet, ask);
    if (!trial.fits) return placed;
    for (const one of trial.members) take(fleet, roomFor(one, ask));
  }
}

test("as many gangs as are said to fit can be placed, and not one more", () => {
  let blocksSeen = 0;
  fc.assert(
    fc.property(someNodes(2), (some) => {
      const nodes = here(some);
      const [found] = fragmentationOf(indexOf(nodes));
      for (const { gpus, fits, blocks } of found?.shapes ?? []) {
        expect(placedOneByOne(nodes, gpus, 1)).toBe(fits);
        for (const { members, blocks: said, unscattered } of blocks) {
          blocksSeen += members > 1 && said > 0 ? 1 : 0;
          expect(placedOneByOne(nodes, gpus, members)).toBe(said);
          expect(unscattered).toBe(Math.floor(fits / members));
          expect(said).toBeLessThanOrEqual(unscattered);
        }
        expect((blocks.at(-1)?.members ?? 1) * 2).toBeGreaterThan(fits);
      }
    }),
    { numRuns: 200 },
  );
  expect(blocksSeen).toBeGreaterThan(50);
});

test("nodes and GPUs are counted where work is taken", () => {
  fc.assert(
    fc.property(someNodes(2), (some) => {
      const nodes = here(some);
      const [found] = fragmentationOf(indexOf(nodes));
      const working = nodes.filter((n) => n.eligible && n.leaseFresh && n.inventoryMatches);
      const frees = working.map(({ pairs }) => pairs.filter(({ free }) => free).length);
      expect(found?.freeGpus).toBe(frees.reduce((a, b) => a + b, 0));
      expect(found?.freeNodes).toBe(
        working.filter(({ gpuCount }, i) => frees[i] === gpuCount).length,
      );
      const partly = working.filter(({ pairs }, i) => frees[i]! > 0 && frees[i]! < pairs.length);
      expect(found?.partlyUsed).toBe(partly.length);
      expect(found?.leafGroups).toBe(new Set(nodes.map(({ leafGroup }) => leafGroup)).size);
    }),
    { numRuns: 200 },
  );
});
