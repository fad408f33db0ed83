// Placement: every rule by name, the preferences, and what the judge says of forged plans.
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { maskOf } from "../domain/bundle.js";
import { check } from "./check.js";
import { type FleetNode, type PlacementRequest, planOf } from "./fleet.js";
import { FleetIndex } from "./fleet-index.js";
import { fittingNodes, place } from "./place.js";
import { SHARED, sampleNode, samplePairs, sampleRequest, WHOLE } from "./sample.js";

const CLUSTER = "pc-a" as PhysicalClusterId;
function node(name: string, change: Partial<FleetNode> = {}, taken: number[] = []): FleetNode {
  const pairs = samplePairs(maskOf(taken));
  return sampleNode(name, { legalSets: WHOLE, pairs, ...change });
}

function request(change: Partial<PlacementRequest> = {}): PlacementRequest {
  const amounts = { vcpu: 152, memoryMib: 1536 * 1024 };
  return sampleRequest(8, { rails: 0xff, ...amounts, ...change });
}

const ALL = [0, 1, 2, 3, 4, 5, 6, 7];
const SEEDS = ["1", "2", "3", "4", "5", "6"];

function fleet(...nodes: readonly FleetNode[]): FleetIndex {
  const index = new FleetIndex();
  for (const one of nodes) index.put(one);
  return index;
}

/** Where it goes and on which rails; the judge agrees. */
function placed(nodes: readonly FleetNode[], wanted: PlacementRequest) {
  const choice = place(fleet(...nodes), wanted);
  if (!choice.fits) throw new Error(JSON.stringify(choice.removed));
  const on = nodes.find(({ nodeId }) => nodeId === choice.nodeId)!;
  const plan = planOf(choice, on);
  expect(check(on, wanted, plan)).toEqual([]);
  return { on: String(plan.nodeId), rails: plan.pairs.map(({ rail }) => rail), near: plan.near };
}

const small = (gpuCount: number, change: Partial<PlacementRequest> = {}) =>
  request({
    gpuCount,
    attachmentCount: gpuCount,
    rails: undefined,
    vcpu: 8,
    memoryMib: 8,
    ...change,
  });
const bare = (change: Partial<PlacementRequest> = {}) =>
  small(0, { gpuModel: undefined, physicalClusterId: undefined, ...change });

test.each<[string, FleetNode]>([
  ["zone", node("n", { zone: "z2" })],
  ["physicalCluster", node("n", { physicalClusterId: "pc-b" as PhysicalClusterId })],
  ["eligible", node("n", { eligible: false })],
  ["leaseFresh", node("n", { leaseFresh: false })],
  ["inventoryMatches", node("n", { inventoryMatches: false })],
  ["profileFits", node("n", { gpuModel: "H200" })],
  ["profileFits", node("n", { gpuCount: 4, legalSets: [15] })],
  [
    "railsHealthy",
    node("n", { pairs: node("m").pairs.map((p) => ({ ...p, healthy: p.rail !== 3 })) }),
  ],
  [
    "railSet",
    node("n", { pairs: node("m").pairs.map((p) => ({ ...p, rail: Math.min(p.rail, 6) })) }),
  ],
  ["railsHealthy", node("n", { pairs: node("m").pairs.slice(1) })],
  ["bundleFree", node("n", {}, [2])],
  ["vfsFree", node("n", { vfsPerNic: 0 })],
  ["vcpuFree", node("n", { free: { vcpu: 8, memoryMib: 1_900_000, diskGib: 0 } })],
  ["memoryFree", node("n", { free: { vcpu: 176, memoryMib: 8, diskGib: 0 } })],
])("a node that breaks %s is removed and counted under that name", (rule, bad) => {
  const refusal = place(fleet(bad), request());
  expect(refusal).toEqual({ fits: false, considered: 1, removed: { [rule]: 1 } });
});

test("nodes lost to other writers are counted as such", () => {
  const wanted = request({ exclude: ["n" as NodeId] });
  expect(place(fleet(node("n")), wanted)).toMatchObject({ removed: { lostRace: 1 } });
  expect(placed([node("n"), node("m")], wanted).on).toBe("m");
});

test("a node that was left out once may be chosen by the next request", () => {
  const index = fleet(node("n"));
  expect(place(index, request({ exclude: ["n" as NodeId] })).fits).toBe(false);
  expect(place(index, request()).fits).toBe(true);
});

test("the previous host wins, then its leaf group, and the answer says which", () => {
  const nodes = ["a", "b", "c"].map((n) => node(n, { leafGroup: n === "a" ? "su1" : "su2" }));
  const was = (leafGroup: string) => ({ physicalClusterId: CLUSTER, leafGroup });
  const gone = { previousNodeId: "gone" as NodeId };
  const here = request({ previousNodeId: "b" as NodeId, previousLeafGroup: was("su2") });
  expect(placed(nodes, here)).toMatchObject({ on: "b", near: "previous-host" });
  const beside = placed(nodes, request({ ...gone, previousLeafGroup: was("su1") }));
  expect(beside).toMatchObject({ on: "a", near: "previous-leaf-group" });
  const away = placed(nodes, request({ ...gone, previousLeafGroup: was("su9") }));
  expect(away.near).toBe("elsewhere");
  expect(placed(nodes, request()).near).toBeUndefined();
});

test("started leaf groups fill up first, the fullest before the others", () => {
  const nodes = [node("a", { leafGroup: "su2" }), node("b"), node("c", {}, ALL)];
  for (const seed of SEEDS) expect(placed(nodes, request({ seed })).on).toBe("b");
  const fuller = [...nodes, node("d"), node("e", { leafGroup: "su2" }, ALL)];
  for (const seed of SEEDS) expect(placed(fuller, request({ seed })).on).toBe("a");
});

test("what needs no GPU goes beside taken GPUs, so that whole nodes stay whole", () => {
  const nodes = [node("a"), node("b"), node("c", {}, ALL), node("d")];
  for (const seed of SEEDS) expect(placed(nodes, bare({ seed })).on).toBe("c");
});

test("all that fit are told leaf group by leaf group, in an order that the seed decides", () => {
  const nodes = [
    ...[node("a"), node("b"), node("c")].map((one) => ({ ...one, leafGroup: "su2" })),
    ...[node("d"), node("e"), node("ill", { eligible: false }), node("lost"), node("full")],
  ];
  const wanted = { exclude: ["lost" as NodeId], crowded: new Map([["full" as NodeId, 0]]) };
  const told = (seed: string, from = nodes) =>
    fittingNodes(fleet(...from), bare({ seed, ...wanted }));
  for (const seed of SEEDS) {
    const ids = told(seed);
    expect([...ids].sort()).toEqual(["a", "b", "c", "d", "e"]);
    const inSu1 = ids.map((id) => id === "d" || id === "e");
    expect([inSu1.join(), inSu1.reverse().join()]).toContain("false,false,false,true,true");
    expect(told(seed, [...nodes].reverse())).toEqual(ids);
  }
  expect(new Set(SEEDS.map((seed) => told(seed).join())).size).toBeGreaterThan(1);
  const roomier = node("z", { free: { vcpu: 177, memoryMib: 1_900_000, diskGib: 20_000 } });
  for (const seed of SEEDS) expect(told(seed, [...nodes, roomier])[0]).toBe("z");
});

test("a part of a node is one of the board's partitions, and breaks up the smallest block", () => {
  const shared = { legalSets: SHARED };
  expect(placed([node("a", shared, [0])], small(4)).rails).toEqual([4, 5, 6, 7]);
  expect(placed([node("a", shared, [0, 4, 5, 6])], small(2)).rails).toEqual([1, 3]);
  expect(placed([node("a", shared, [0])], small(1)).rails).toEqual([2]);
  expect(place(fleet(node("a", shared, [1, 4])), small(4)).fits).toBe(false);
  for (const seed of SEEDS) {
    const nodes = [node("whole", shared), node("half", shared, [0, 1, 2, 3])];
    expect(placed(nodes, small(4, { seed })).on).toBe("half");
  }
});

test("without a Fabric Manager on the host only whole nodes are given", () => {
  expect(place(fleet(node("a")), small(4))).toMatchObject({ removed: { profileFits: 1 } });
});

test("a part of a node keeps to the rails that are asked for", () => {
  const nodes = [node("a", { legalSets: SHARED }), node("b", { legalSets: SHARED }, [0, 1, 2, 3])];
  for (const seed of SEEDS) {
    expect(placed(nodes, small(4, { rails: 0x0f, seed }))).toMatchObject({ on: "a" });
  }
  const full = place(fleet(nodes[1]!), small(4, { rails: 0x0f }));
  expect(full).toMatchObject({ removed: { bundleFree: 1 } });
  expect(place(fleet(nodes[1]!), small(4, { rails: 0x33 }))).toMatchObject({
    removed: { railSet: 1 },
  });
});

test("a pair that is pinned to a rail decides which part of a node it is", () => {
  const shared = node("a", { legalSets: SHARED });
  const at = (...pinned: { pair: number; rail: number }[]) => small(4, { pinned });
  expect(placed([shared], at({ pair: 2, rail: 2 })).rails).toEqual([0, 1, 2, 3]);
  expect(placed([shared], at({ pair: 2, rail: 6 }, { pair: 3, rail: 7 })).rails[0]).toBe(4);
  // No legal set has this rail in this place, or one pair on two rails.
  for (const never of [at({ pair: 0, rail: 6 }), at({ pair: 0, rail: 0 }, { pair: 0, rail: 4 })]) {
    expect(place(fleet(shared), never)).toMatchObject({ removed: { railSet: 1 } });
  }
  // One index answers both, whichever comes first.
  const lower = fleet(node("b", { legalSets: SHARED }, [4, 5, 6, 7]));
  const answers = [6, 2, 6].map((rail) => place(lower, at({ pair: 2, rail })));
  expect(answers).toMatchObject([{ fits: false }, { bundle: 0x0f }, { fits: false }]);
});

test("the judge names a pair that is not on the rail it was pinned to", () => {
  const shared = node("a", { legalSets: SHARED });
  const choice = place(fleet(shared), small(4, { rails: 0x0f }));
  const wanted = small(4, { pinned: [{ pair: 1, rail: 5 }] });
  if (!choice.fits) throw new Error("there is room");
  expect(check(shared, wanted, planOf(choice, shared))).toEqual(["pair 1 is not on rail 5"]);
});

test("without attachments a sick rail does not matter", () => {
  const sick = node("a", { pairs: node("m").pairs.map((p) => ({ ...p, healthy: false })) });
  expect(placed([sick], request({ attachmentCount: 0, rails: undefined })).on).toBe("a");
});

test("the judge names what is wrong with a forged plan", () => {
  const on = node("a", {}, [3]);
  const pairs = on.pairs.map(({ rail, gpu, nic }) => ({ rail, gpu, nic }));
  const nodeId = "a" as NodeId;
  const forged = { fits: true as const, nodeId, near: undefined, pairs: [...pairs].reverse() };
  expect(check(on, request(), forged)).toEqual(
    expect.arrayContaining(["pair 4 is taken", "pair 1 is out of rail order"]),
  );
  const part = { ...forged, pairs: pairs.slice(4) };
  expect(check(on, small(4), part)).toEqual(["the pairs are no legal bundle"]);
  const elsewhere = { ...forged, nodeId: "z" as NodeId };
  expect(check(on, request(), elsewhere)).toEqual(["the node is not in the fleet"]);
  expect(check(undefined, request(), forged)).toEqual(["the node is not in the fleet"]);
});
