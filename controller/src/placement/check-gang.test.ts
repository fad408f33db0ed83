// What the judge of gangs says of forged plans.
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { legalSets } from "../domain/bundle.js";
import { checkGang } from "./check-gang.js";
import { type FleetNode, type PlacementRequest, planOf } from "./fleet.js";
import type { GangRequest } from "./gang.js";

const CLUSTER = "pc-a" as PhysicalClusterId;
const LOWER = 0x0f;
const UPPER = 0xf0;

function node(name: string, leafGroup: string): FleetNode {
  return {
    nodeId: name as NodeId,
    zone: "z1",
    physicalClusterId: CLUSTER,
    leafGroup,
    hardware: "hgx",
    gpuModel: "H100",
    gpuCount: 8,
    legalSets: legalSets({ gpus: { count: 8, pci: "", model: "H100" }, fabricManager: true }),
    eligible: true,
    leaseFresh: true,
    inventoryMatches: true,
    pairs: Array.from({ length: 8 }, (_, rail) => {
      return { rail, module: rail, gpu: `g${rail}`, nic: `n${rail}`, healthy: true, free: true };
    }),
    vfsPerNic: 16,
    nicSpeedGbps: 400,
    free: { vcpu: 100, memoryMib: 100, diskGib: 100 },
  };
}

const NODES = [node("a", "su1"), node("b", "su1"), node("c", "su2"), node("d", "su3")];
const MEMBER: PlacementRequest = {
  instanceId: "ins-1" as InstanceId,
  zone: "z1",
  physicalClusterId: CLUSTER,
  gpuModel: "H100",
  gpuCount: 4,
  rails: undefined,
  attachmentCount: 4,
  vcpu: 60,
  memoryMib: 8,
  diskGib: 0,
  previousNodeId: undefined,
  previousLeafGroup: undefined,
  exclude: [],
  seed: "s",
};

function verdict(request: Partial<GangRequest>, ...places: (readonly [string, number])[]) {
  const nodeOf = (id: string) => NODES.find(({ nodeId }) => nodeId === id);
  const plans = places.map(([id, bundle]) => {
    const on = nodeOf(id) ?? { pairs: [] };
    return planOf({ fits: true, nodeId: id as NodeId, bundle, near: undefined }, on);
  });
  const wanted = { count: places.length, maxLeafGroups: undefined, segmentSize: undefined };
  return checkGang(nodeOf, { member: MEMBER, ...wanted, ...request }, plans);
}

const apart = [
  ["a", LOWER],
  ["b", LOWER],
  ["c", LOWER],
  ["d", LOWER],
] as const;

test("the judge finds nothing wrong with a good plan", () => {
  expect(verdict({ maxLeafGroups: 3 }, ...apart)).toEqual([]);
});

test.each<[string, readonly string[], readonly string[]]>([
  ["members missing", ["3 members instead of 5"], verdict({ count: 5 }, ...apart.slice(1))],
  ["too many leaf groups", ["3 leaf groups, more than 2"], verdict({ maxLeafGroups: 2 }, ...apart)],
  ["a segment apart", ["segment 1 spans 2 groups"], verdict({ segmentSize: 2 }, ...apart)],
  [
    "other rails",
    ["member 1 is on other rails than member 0"],
    verdict({}, ["a", LOWER], ["b", UPPER]),
  ],
  [
    "a device twice",
    ["two members share a gpu of a", "two members share a nic of a", "too little vcpu on a"],
    verdict({}, ["a", LOWER], ["a", LOWER]),
  ],
  ["no legal bundle", ["member 0: the pairs are no legal bundle"], verdict({}, ["a", 0x1e])],
  ["a node unknown", ["member 0: the node is not in the fleet"], verdict({}, ["z", LOWER])],
])("the judge names %s", (_, sentences, said) => {
  expect(said).toEqual(sentences.map((text) => expect.stringContaining(text)));
});
