// Random fleets and requests for tests of placement: few values, so that nodes and requests often
// meet, tie and fall just short.
import { legalSets } from "@railyard/controller/domain/bundle";
import type { FleetNode, PlacementRequest } from "@railyard/controller/placement/fleet";
import { FleetIndex } from "@railyard/controller/placement/fleet-index";
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import fc from "fast-check";

/** Stands for the lowest rails, as many as GPUs are wanted. */
const WHOLE = -1;
const CLUSTERS = ["pc-a", "pc-b"] as PhysicalClusterId[];
const GPUS = { count: 8, pci: "10de:2330", model: "H100" };
const SETS = [
  legalSets({ gpus: GPUS }),
  legalSets({ gpus: GPUS, fabricManager: true }),
  legalSets({ gpus: GPUS, nvSwitch: false }),
];

/** A node by name, made from few values; with none given a healthy free one. */
export function anyNode(name: string): fc.Arbitrary<FleetNode> {
  return fc
    .record({
      zone: fc.constantFrom("z1", "z1", "z1", "z2"),
      physicalClusterId: fc.constantFrom(...CLUSTERS),
      leafGroup: fc.constantFrom("su1", "su2", "su3"),
      gpuModel: fc.constantFrom("H100", "H100", "H100", "H200"),
      legalSets: fc.constantFrom(...SETS),
      eligible: often,
      leaseFresh: often,
      inventoryMatches: often,
      taken: fc.oneof(fc.constant(0), fc.constant(255), fc.nat(255)),
      sick: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(255)),
      swapped: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
      missing: fc.constantFrom(0, 0, 0, 1),
      vfsPerNic: fc.constantFrom(0, 2, 16, 16),
      vcpu: fc.constantFrom(8, 64, 176),
      memoryMib: fc.constantFrom(64, 512),
    })
    .map(({ taken, sick, swapped, missing, vcpu, memoryMib, ...rest }) => ({
      ...rest,
      nodeId: name as NodeId,
      hardware: "hgx",
      gpuCount: 8,
      nicSpeedGbps: 400,
      free: { vcpu, memoryMib, diskGib: 100 },
      pairs: pairsOf({ taken, sick, swapped }).slice(missing),
    }));
}

const often = fc.constantFrom(true, true, true, true, false);

function pairsOf(of: { taken: number; sick: number; swapped: boolean }): FleetNode["pairs"] {
  return Array.from({ length: 8 }, (_, rail) => ({
    rail,
    // Two cables swapped: the pairs' modules change places among the rails.
    module: of.swapped && rail < 2 ? 1 - rail : rail,
    gpu: `gpu-${rail}`,
    nic: `nic-${rail}`,
    healthy: (of.sick & (1 << rail)) === 0,
    free: (of.taken & (1 << rail)) === 0,
  }));
}

/** Up to `most` nodes, named n0, n1 and so on. */
export function anyNodes(most: number): fc.Arbitrary<readonly FleetNode[]> {
  return fc
    .integer({ min: 0, max: most })
    .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyNode(`n${i}`))));
}

export function anyRequest(): fc.Arbitrary<PlacementRequest> {
  return fc
    .record({
      gpuCount: fc.constantFrom(0, 1, 2, 4, 8, 8),
      per: fc.constantFrom(0, 1, 4),
      fixed: fc.constantFrom<number | undefined>(
        undefined,
        undefined,
        WHOLE,
        0x0f,
        0xf0,
        0x05,
        0x01,
      ),
      pinned: fc.constantFrom<NonNullable<PlacementRequest["pinned"]>>(
        [],
        [],
        [{ pair: 1, rail: 1 }],
        [{ pair: 0, rail: 4 }],
      ),
      usable: fc.constantFrom(undefined, undefined, undefined, 0xf1, 0x0f),
      physicalClusterId: fc.constantFrom(undefined, ...CLUSTERS),
      vcpu: fc.constantFrom(8, 64),
      memoryMib: fc.constantFrom(32, 64, 512),
      previous: fc.constantFrom(undefined, undefined, "n0", "n1", "gone"),
      group: fc.constantFrom("su1", "su2"),
      exclude: fc.constantFrom<string[]>([], [], ["n1"], ["n0", "n2"]),
      crowded: fc.constantFrom<Record<string, number> | undefined>(
        ...[undefined, undefined, undefined],
        ...[
          { n0: 0, gone: 0 },
          { n1: 1, n2: 0 },
          { n0: 2, n3: 1 },
        ],
      ),
      seed: fc.string({ maxLength: 3 }),
    })
    .map(({ gpuCount, per, fixed, previous, group, exclude, crowded, ...rest }) => ({
      ...rest,
      instanceId: "ins-1" as InstanceId,
      zone: "z1",
      gpuModel: gpuCount > 0 ? "H100" : undefined,
      gpuCount,
      rails: fixed === WHOLE ? 2 ** gpuCount - 1 : fixed,
      attachmentCount: per * gpuCount,
      diskGib: 0,
      previousNodeId: previous as NodeId | undefined,
      previousLeafGroup: previous
        ? { physicalClusterId: CLUSTERS[0]!, leafGroup: group }
        : undefined,
      exclude: exclude as NodeId[],
      crowded: crowded && new Map(Object.entries(crowded) as [NodeId, number][]),
    }));
}

/** An index over the nodes, put in in this order. */
export function indexOf(nodes: readonly FleetNode[]): FleetIndex {
  const index = new FleetIndex();
  for (const node of nodes) index.put(node);
  return index;
}
