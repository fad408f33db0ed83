// A made-up fleet for the placement bench: leaf groups of 32 nodes in one cluster, filled to a
// share by what a seed draws, and the requests that are asked of it.
import { legalSets } from "@railyard/controller/domain/bundle";
import type { FleetNode, PlacementRequest } from "@railyard/controller/placement/fleet";
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import type { Rng } from "@railyard/lib/rng";

const CLUSTER = "pc-bench" as PhysicalClusterId;
/** Nodes of each leaf group. */
export const GROUP_NODES = 32;
const SETS = legalSets({
  gpus: { count: 8, pci: "10de:2330", model: "H100" },
  fabricManager: true,
});
/** Shares of the board that stand for nodes in use: whole ones, halves, quarters. */
const TAKEN = [0xff, 0xff, 0xff, 0xff, 0x0f, 0xf0, 0x05, 0xaf];
const GPU_VCPU = 19;
const GPU_MEMORY_MIB = 224 * 1024;

/** Node `at` with the pairs of the mask `taken`. */
export function benchNode(at: number, taken: number): FleetNode {
  const gpus = [...taken.toString(2)].filter((bit) => bit === "1").length;
  return {
    nodeId: `node-${at.toString(36).padStart(6, "0")}-0123456789` as NodeId,
    zone: "z1",
    physicalClusterId: CLUSTER,
    leafGroup: `su${Math.floor(at / GROUP_NODES)}`,
    hardware: "hgx-h100",
    gpuModel: "H100",
    gpuCount: 8,
    legalSets: SETS,
    eligible: true,
    leaseFresh: true,
    inventoryMatches: true,
    // Members begin with one of their own: behind a spread every object would be of its own class.
    pairs: PAIRS.map((pair) => ({ free: (taken & (1 << pair.rail)) === 0, ...pair })),
    vfsPerNic: 16,
    nicSpeedGbps: 400,
    free: {
      vcpu: 176 - gpus * GPU_VCPU,
      memoryMib: 1920 * 1024 - gpus * GPU_MEMORY_MIB,
      diskGib: 24_576,
    },
  };
}

const PAIRS = Array.from({ length: 8 }, (_, rail) => {
  return { rail, module: rail, gpu: `gpu-${rail}`, nic: `nic-${rail}`, healthy: true };
});

/** Which pairs of each node are taken, so that about `full` of all nodes are in use. */
export function takenMasks(nodes: number, full: number, rng: Rng): number[] {
  return Array.from({ length: nodes }, () => {
    return rng.int(1_000) < full * 1_000 ? (TAKEN[rng.int(TAKEN.length)] ?? 0) : 0;
  });
}

/** What is asked for, one after another. */
export const SHAPES = [
  { gpuCount: 8, rails: 0xff, attachmentCount: 8 },
  { gpuCount: 8, rails: 0xff, attachmentCount: 32 },
  { gpuCount: 4, rails: undefined, attachmentCount: 4 },
  { gpuCount: 4, rails: 0x0f, attachmentCount: 4 },
  { gpuCount: 2, rails: undefined, attachmentCount: 2 },
  { gpuCount: 0, rails: undefined, attachmentCount: 0 },
];

/** The request number `at`; shapes take turns. */
export function benchRequest(at: number): PlacementRequest {
  const shape = SHAPES[at % SHAPES.length] ?? { gpuCount: 0, rails: undefined, attachmentCount: 0 };
  return {
    instanceId: `ins-${at}` as InstanceId,
    ...shape,
    zone: "z1",
    physicalClusterId: shape.gpuCount > 0 ? CLUSTER : undefined,
    gpuModel: shape.gpuCount > 0 ? "H100" : undefined,
    vcpu: Math.max(8, shape.gpuCount * GPU_VCPU),
    memoryMib: Math.max(40 * 1024, shape.gpuCount * GPU_MEMORY_MIB),
    diskGib: 0,
    previousNodeId: undefined,
    previousLeafGroup: undefined,
    exclude: [],
    seed: `seed-${at}`,
  };
}
