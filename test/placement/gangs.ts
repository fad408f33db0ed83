// Random fleets with room for gangs, and gangs, for tests of placement.
import type { FleetNode } from "@railyard/controller/placement/fleet";
import type { GangRequest } from "@railyard/controller/placement/gang";
import type { PhysicalClusterId } from "@railyard/lib/ids";
import fc from "fast-check";
import { anyNode, anyRequest } from "./fleets.js";

const NODES_MAX = 6;
const CLUSTER = "pc-a" as PhysicalClusterId;

/** Mostly alike and with room, so that many can be placed together. */
export function someNodes(least: number): fc.Arbitrary<readonly FleetNode[]> {
  const one = (name: string) =>
    fc
      .record({ node: anyNode(name), odd: fc.nat(9), empty: fc.boolean(), group: fc.nat(3) })
      .map(({ node, odd, empty, group }): FleetNode => {
        if (odd === 0) return node;
        const well = { eligible: true, leaseFresh: true, inventoryMatches: true, vfsPerNic: 16 };
        const pairs = empty
          ? node.pairs.map((pair) => ({ ...pair, free: true, healthy: true }))
          : [];
        return {
          ...node,
          ...well,
          ...(pairs.length > 0 && { pairs }),
          zone: "z1",
          physicalClusterId: CLUSTER,
          gpuModel: "H100",
          leafGroup: `su${group}`,
        };
      });
  return fc
    .integer({ min: least, max: NODES_MAX })
    .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => one(`n${i}`))));
}

/** Up to four members, often close together. */
export function anyGang(): fc.Arbitrary<GangRequest> {
  return fc
    .record({
      member: anyRequest(),
      odd: fc.nat(7),
      roams: fc.nat(3),
      count: fc.integer({ min: 1, max: 4 }),
      maxLeafGroups: fc.constantFrom(undefined, undefined, 1, 2, 3),
      segmentSize: fc.constantFrom(undefined, undefined, 1, 2, 3, 6),
    })
    .map(({ member, odd, roams, ...rest }) => ({
      ...rest,
      member: {
        ...member,
        ...(odd > 0 && { pinned: [], exclude: [], vcpu: 8, memoryMib: 32 }),
        ...(odd > 1 && { rails: undefined, usable: undefined }),
        ...(odd > 4 && { gpuCount: 8, gpuModel: "H100", attachmentCount: 8 }),
        physicalClusterId: roams === 0 ? undefined : CLUSTER,
      },
    }));
}
