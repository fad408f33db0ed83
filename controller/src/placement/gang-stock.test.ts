// What a node that has no room for another member in its message is worth to a gang: nothing.
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { FleetNode, PlacementRequest } from "./fleet.js";
import { FleetIndex } from "./fleet-index.js";
import { placeGang } from "./gang.js";

function node(name: string, isStarted: boolean): FleetNode {
  return {
    nodeId: name as NodeId,
    zone: "z1",
    physicalClusterId: "pc-a" as PhysicalClusterId,
    leafGroup: name.split("-")[0] ?? "",
    hardware: "hgx",
    gpuModel: "H100",
    gpuCount: 1,
    legalSets: [1],
    eligible: true,
    leaseFresh: true,
    inventoryMatches: true,
    pairs: [{ rail: 0, module: 0, gpu: "g", nic: "n", healthy: true, free: !isStarted }],
    vfsPerNic: 16,
    nicSpeedGbps: 400,
    free: { vcpu: 100, memoryMib: 100, diskGib: 100 },
  };
}

test("a node whose message is full makes its leaf group no cheaper without GPUs", () => {
  const fleet = new FleetIndex();
  // Without the full ones both leaf groups cost one whole node, and su2 has fewer of these.
  for (const name of ["su1-a", "su1-b", "su2-a"]) fleet.put(node(name, false));
  for (const name of ["su1-full", "su2-full"]) fleet.put(node(name, true));
  const member: PlacementRequest = {
    instanceId: "ins-1" as InstanceId,
    zone: "z1",
    physicalClusterId: undefined,
    gpuModel: undefined,
    gpuCount: 0,
    rails: undefined,
    attachmentCount: 0,
    vcpu: 1,
    memoryMib: 1,
    diskGib: 0,
    previousNodeId: undefined,
    previousLeafGroup: undefined,
    exclude: ["su2-full" as NodeId],
    crowded: new Map([["su1-full" as NodeId, 0]]),
    seed: "s",
  };
  const found = placeGang(fleet, {
    member,
    count: 2,
    maxLeafGroups: undefined,
    segmentSize: undefined,
  });
  expect(found.fits && found.members.map(({ nodeId }) => nodeId)).toEqual(["su2-a", "su2-a"]);
});
