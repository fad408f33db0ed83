// A well, empty node of eight pairs and a request for one of them: what tests of this room start
// from, each naming only what it is about. Production code has no use for it.
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { legalSets } from "../domain/bundle.js";
import type { FleetNode, PlacementRequest } from "./fleet.js";

const CLUSTER = "pc-a" as PhysicalClusterId;
const GPUS = { count: 8, pci: "10de:2330", model: "H100" };

/** Sets of GPUs on such machines: all eight only, or shares of them, too. */
export const WHOLE = legalSets({ gpus: GPUS });
export const SHARED = legalSets({ gpus: GPUS, fabricManager: true });

/** Its pairs; bit p of `taken` says that pair p is in use. */
export function samplePairs(taken = 0): FleetNode["pairs"] {
  return Array.from({ length: 8 }, (_, rail) => {
    const free = (taken & (1 << rail)) === 0;
    return { rail, module: rail, gpu: `gpu-${rail}`, nic: `nic-${rail}`, healthy: true, free };
  });
}

/** A node of leaf group su1 whose machine may be shared. */
export function sampleNode(name: string, change: Partial<FleetNode> = {}): FleetNode {
  return {
    nodeId: name as NodeId,
    zone: "z1",
    physicalClusterId: CLUSTER,
    leafGroup: "su1",
    hardware: "hgx",
    gpuModel: "H100",
    gpuCount: 8,
    legalSets: SHARED,
    eligible: true,
    leaseFresh: true,
    inventoryMatches: true,
    pairs: samplePairs(),
    vfsPerNic: 16,
    nicSpeedGbps: 400,
    free: { vcpu: 176, memoryMib: 1_900_000, diskGib: 20_000 },
    ...change,
  };
}

/** For so many GPUs, of whatever rails, each with an attachment. */
export function sampleRequest(
  gpuCount: number,
  change: Partial<PlacementRequest> = {},
): PlacementRequest {
  return {
    instanceId: "ins-1" as InstanceId,
    zone: "z1",
    physicalClusterId: CLUSTER,
    gpuModel: gpuCount > 0 ? "H100" : undefined,
    gpuCount,
    rails: undefined,
    attachmentCount: gpuCount,
    vcpu: 8,
    memoryMib: 8,
    diskGib: 0,
    previousNodeId: undefined,
    previousLeafGroup: undefined,
    exclude: [],
    seed: "s",
    ...change,
  };
}
