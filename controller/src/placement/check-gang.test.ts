// What the judge of gangs says of forged plans.
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { checkGang } from "./check-gang.js";
import { planOf } from "./fleet.js";
import type { GangRequest } from "./gang.js";
import { sampleNode, sampleRequest } from "./sample.js";

const FREE = { vcpu: 100, memoryMib: 100, diskGib: 100 };
const LOWER = 0x0f;
const UPPER = 0xf0;

const NODES = [
  ...["a", "b"].map((name) => sampleNode(name, { free: FREE })),
  sampleNode("c", { leafGroup: "su2", free: FREE }),
  sampleNode("d", { leafGroup: "su3", free: FREE }),
];
const MEMBER = sampleRequest(4, { vcpu: 60 });

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
