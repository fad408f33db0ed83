// Proposals to make free room more whole: every move is played on plain nodes and judged there, in
// the order in which it was proposed.
import { type Emptiable, proposeMoves } from "@railyard/controller/placement/defragmentation";
import type { FleetNode, PlacementRequest } from "@railyard/controller/placement/fleet";
import type { Room } from "@railyard/controller/placement/trial";
import type { InstanceId, PhysicalClusterId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { indexOf } from "./fleets.js";
import { someNodes } from "./gangs.js";
import { bundlesFor, isWhole, takes } from "./oracle.js";

const CLUSTER = "pc-a" as PhysicalClusterId;

function request(gpuCount: number, instanceId: InstanceId): PlacementRequest {
  return {
    ...{ instanceId, zone: "z1", physicalClusterId: CLUSTER, gpuModel: "H100", gpuCount },
    ...{ rails: undefined, attachmentCount: gpuCount, pinned: [] },
    ...{ vcpu: 8, memoryMib: 16, diskGib: 0, previousNodeId: undefined },
    ...{ previousLeafGroup: undefined, exclude: [], seed: instanceId },
  };
}

interface Yard {
  readonly nodes: FleetNode[];
  readonly residents: Map<string, { readonly request: PlacementRequest; readonly room: Room }[]>;
}

/** Well nodes of one cluster, on which these instances were started wherever they fit first. */
function inhabited(some: readonly FleetNode[], wishes: readonly [number, number][]): Yard {
  const yard: Yard = { nodes: some.map(emptied), residents: new Map() };
  for (const [n, [gpus, at]] of wishes.entries()) {
    const wanted = request(gpus, `ins-${n}` as InstanceId);
    const node = yard.nodes[at % yard.nodes.length]!;
    const [bundle] = takes(node, wanted) ? bundlesFor(node, wanted) : [];
    if (!bundle) continue;
    const pairs = node.pairs.reduce((m, pair, p) => (bundle.includes(pair) ? m | (1 << p) : m), 0);
    const room = { nodeId: node.nodeId, pairs, vcpu: 8, memoryMib: 16, diskGib: 0 };
    change(yard, room, -1);
    const there = yard.residents.get(node.nodeId) ?? [];
    yard.residents.set(node.nodeId, [...there, { request: wanted, room }]);
  }
  return yard;
}

function emptied(node: FleetNode): FleetNode {
  return {
    ...{ ...node, zone: "z1", physicalClusterId: CLUSTER, gpuModel: "H100", vfsPerNic: 16 },
    ...{ eligible: true, leaseFresh: true, inventoryMatches: true },
    pairs: node.pairs.map((pair) => ({ ...pair, free: true, healthy: true })),
  };
}

function change({ nodes }: Yard, room: Room, by: 1 | -1): void {
  const at = nodes.findIndex(({ nodeId }) => nodeId === room.nodeId);
  const node = nodes[at]!;
  const { vcpu, memoryMib, diskGib } = node.free;
  nodes[at] = {
    ...node,
    pairs: node.pairs.map((pair, p) => (room.pairs & (1 << p) ? { ...pair, free: by > 0 } : pair)),
    free: { vcpu: vcpu + by * room.vcpu, memoryMib: memoryMib + by * room.memoryMib, diskGib },
  };
}

function emptiable({ residents, nodes }: Yard): Emptiable[] {
  return nodes.map(({ nodeId }) => ({
    nodeId,
    residents: (residents.get(nodeId) ?? []).map(({ request: asked, room }) => {
      return { instanceId: asked.instanceId, request: asked, room };
    }),
  }));
}

const wholes = ({ nodes }: Yard) => nodes.filter(isWhole).length;

function together({ nodes }: Yard): number {
  const groups = new Map<string, number>();
  for (const { leafGroup } of nodes.filter(isWhole)) {
    groups.set(leafGroup, (groups.get(leafGroup) ?? 0) + 1);
  }
  return Math.max(0, ...groups.values());
}

const anyWishes = () =>
  fc.array(fc.tuple(fc.constantFrom(1, 2, 2, 4), fc.nat(5)), { minLength: 2, maxLength: 10 });

test("each move is legal when it is made, spares whole nodes, and the gain is as said", () => {
  let proposed = 0;
  fc.assert(
    fc.property(
      someNodes(3),
      anyWishes(),
      fc.record({
        wanted: fc.constantFrom(undefined, undefined, 1, 2, 3),
        movesMax: fc.integer({ min: 1, max: 8 }),
      }),
      (some, wishes, { wanted, movesMax }) => {
        const yard = inhabited(some, wishes);
        const nodes = emptiable(yard);
        const asked = { cluster: CLUSTER, nodes, together: wanted, movesMax };
        const { moves } = proposeMoves(indexOf(yard.nodes), asked);
        expect(proposeMoves(indexOf([...yard.nodes].reverse()), asked).moves).toEqual(moves);
        expect(moves.length).toBeLessThanOrEqual(movesMax);
        expect(new Set(moves.map(({ instanceId }) => instanceId)).size).toBe(moves.length);
        const [before, beforeTogether] = [wholes(yard), together(yard)];
        for (const { instanceId, from, to, bundle, freeNodesAfter } of moves) {
          const { request: moved, room } = yard.residents
            .get(from)!
            .find((one) => one.request.instanceId === instanceId)!;
          change(yard, room, 1);
          const target = yard.nodes.find(({ nodeId }) => nodeId === to)!;
          expect([from === to, isWhole(target), takes(target, moved)]).toEqual([
            ...[false, false, true],
          ]);
          const chosen = target.pairs.filter((_, p) => bundle & (1 << p));
          expect(bundlesFor(target, moved)).toContainEqual(chosen);
          change(yard, { ...room, nodeId: to, pairs: bundle }, -1);
          expect(wholes(yard)).toBe(freeNodesAfter);
        }
        if (moves.length === 0) return;
        proposed += 1;
        expect(wholes(yard)).toBeGreaterThan(before);
        if (wanted === undefined) return;
        expect(beforeTogether).toBeLessThan(wanted);
        expect(together(yard)).toBeGreaterThanOrEqual(wanted);
      },
    ),
    { numRuns: 800 },
  );
  expect(proposed).toBeGreaterThan(50);
});
