// What a node that has no room for another member in its message is worth to a gang: nothing.
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { FleetNode } from "./fleet.js";
import { FleetIndex } from "./fleet-index.js";
import { placeGang } from "./gang.js";
import { sampleNode, samplePairs, sampleRequest } from "./sample.js";

function node(name: string, isStarted: boolean): FleetNode {
  return sampleNode(name, {
    leafGroup: name.split("-")[0] ?? "",
    gpuCount: 1,
    legalSets: [1],
    pairs: samplePairs(isStarted ? 1 : 0).slice(0, 1),
    free: { vcpu: 100, memoryMib: 100, diskGib: 100 },
  });
}

test("a node whose message is full makes its leaf group no cheaper without GPUs", () => {
  const fleet = new FleetIndex();
  // Without the full ones both leaf groups cost one whole node, and su2 has fewer of these.
  for (const name of ["su1-a", "su1-b", "su2-a"]) fleet.put(node(name, false));
  for (const name of ["su1-full", "su2-full"]) fleet.put(node(name, true));
  const member = sampleRequest(0, {
    physicalClusterId: undefined,
    ...{ vcpu: 1, memoryMib: 1 },
    exclude: ["su2-full" as NodeId],
    crowded: new Map([["su1-full" as NodeId, 0]]),
  });
  const found = placeGang(fleet, {
    member,
    count: 2,
    maxLeafGroups: undefined,
    segmentSize: undefined,
  });
  expect(found.fits && found.members.map(({ nodeId }) => nodeId)).toEqual(["su2-a", "su2-a"]);
});
