// What the contract says to operators about placement: why something fits or not, what would
// happen, how scattered free room is. Nothing of it moves or keeps anything.
import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  ExplainPlacementRequest,
  GetFragmentationRequest,
  PlacementAdminServiceService,
  PlacementChangeKind,
  ProposeDefragmentationRequest,
  SimulatePlacementRequest,
} from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import * as placement from "@railyard/proto/gen/railyard/v1/placement";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const WHOLE = "gx3d-152x1536-8h100";
const HALF = { profile: "gx3d-80x896x4h100" };
const { explainPlacement, simulatePlacement, getFragmentation } = PlacementAdminServiceService;
const { proposeDefragmentation } = PlacementAdminServiceService;
const { createHold } = placement.PlacementServiceService;

let at: Target;
let tenant: Tenant;
beforeAll(async () => {
  at = await target({ machines: true });
});
beforeEach(async () => {
  tenant = await at.tenant();
});
afterEach(() => at.empty());
afterAll(() => at.close());

const shapeOf = (clusterNetworkId: string, over: object = {}) => ({
  ...{ account: tenant.account },
  shape: { clusterNetworkId, instanceProfile: WHOLE, count: 1, ...over },
});

async function explained(subject: object) {
  const request = ExplainPlacementRequest.fromPartial({ subject } as object);
  const { explanation } = await at.admin.call(explainPlacement, request);
  return explanation!;
}
const ofShape = (id: string, over: object = {}) =>
  explained({ $case: "shape", value: shapeOf(id, over) });
const ofInstance = (value: string) => explained({ $case: "instanceId", value });

test("a shape that fits shows where it would go, and why there", async () => {
  const { id } = await tenant.network();
  const said = await ofShape(id, { count: 2 });
  expect(said).toMatchObject({ fits: true, askedCount: 2, fitCount: 2, smallestChange: "" });
  const names = said.members.map(({ nodeName }) => nodeName);
  expect(names.sort()).toEqual(["wdc07-a-r01-s01", "wdc07-a-r01-s02"]);
  for (const { gpuDeviceIds } of said.members) expect(new Set(gpuDeviceIds).size).toBe(8);
  const removed = said.removed.reduce((sum, { count }) => sum + count, 0);
  expect(removed + said.fittingNodeCount).toBe(said.consideredCount);
  expect(said.preferred.map(({ rule }) => rule)).toContain("wholeNodesWhole");
  expect(said.changes).toEqual([]);
});

test("too many are told how many fit, by rule and node", async () => {
  const { id } = await tenant.network();
  const said = await ofShape(id, { count: 3 });
  expect(said).toMatchObject({ fits: false, askedCount: 3, fitCount: 2, members: [] });
  expect(said.changes[0]).toMatchObject({
    ...{ kind: PlacementChangeKind.PLACEMENT_CHANGE_KIND_FEWER_MEMBERS, count: 2 },
  });
  expect(said.smallestChange).toBe(said.changes[0]?.message);
  for (const { count, examples } of said.removed) {
    expect(examples).toHaveLength(Math.min(count, 8));
  }
  for (const { nodeName, rules } of said.rejected) {
    expect(nodeName).toMatch(/^wdc07-/);
    expect(rules.length).toBeGreaterThan(0);
  }
});

test("what a hold keeps is waited for, by the hold's id and end", async () => {
  const { id } = await tenant.network();
  const { hold } = await tenant.wire.call(
    createHold,
    placement.CreateHoldRequest.fromPartial({
      ...{ shape: { ...shapeOf(id).shape, count: 2 }, ttl: { seconds: 3_600n } },
    }),
  );
  const said = await ofShape(id);
  const ending = said.changes.find(({ holdId }) => holdId !== "");
  expect(ending).toMatchObject({
    kind: PlacementChangeKind.PLACEMENT_CHANGE_KIND_HOLD_ENDS,
    ...{ holdId: hold!.id, endsAt: hold!.expiresAt },
  });
  expect(said.removed.find(({ rule }) => rule === "bundleFree")?.count).toBe(2);
});

test("an instance is tried again as if it were not there, and is left as it is", async () => {
  const { id: networkId } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(networkId);
  const { id } = await tenant.instance("one", Array(8).fill(subnetId));
  await tenant.running(id);
  const said = await ofInstance(id);
  expect(said).toMatchObject({ fits: true, askedCount: 1, fitCount: 1 });
  expect(said.preferred.map(({ rule }) => rule)).toContain("wholeNodesWhole");
  expect(await tenant.running(id)).toMatchObject({ id });
});

test("an instance that was refused is explained as it was asked for", async () => {
  const { id: networkId } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(networkId);
  const both = shapeOf(networkId, { count: 2 });
  const request = { shape: both.shape, ttl: { seconds: 3_600n } };
  await tenant.wire.call(createHold, placement.CreateHoldRequest.fromPartial(request));
  const { id } = await tenant.instance("late", Array(8).fill(subnetId));
  const said = await ofInstance(id);
  expect(said).toMatchObject({ fits: false, askedCount: 1, fitCount: 0 });
  expect(said.changes.map(({ kind }) => kind)).toEqual([
    PlacementChangeKind.PLACEMENT_CHANGE_KIND_HOLD_ENDS,
    PlacementChangeKind.PLACEMENT_CHANGE_KIND_MORE_NODES,
  ]);
  expect(said.changes[1]).toMatchObject({ count: 1, hardware: "hgx-h100" });
});

test("what is wrong with a shape is said by its path; what is not there is not found", async () => {
  const refusedFor = (subject: object) =>
    at.admin.refused(explainPlacement, ExplainPlacementRequest.fromPartial({ subject } as object));
  const { id } = await tenant.network();
  const value = shapeOf(id, { instanceProfile: "no-such" });
  const missing = await refusedFor({ $case: "shape", value });
  expect([missing.code, missing.fields]).toEqual([NOT_FOUND, ["shape.shape.instance_profile"]]);
  const stranger = await refusedFor({
    $case: "shape",
    value: { ...shapeOf(id), account: "other" },
  });
  expect([stranger.code, stranger.fields]).toEqual([
    ...[NOT_FOUND, ["shape.shape.cluster_network_id"]],
  ]);
  expect((await refusedFor({ $case: "instanceId", value: "ins-nothing" })).code).toBe(NOT_FOUND);
  const nothing = await at.admin.refused(explainPlacement, ExplainPlacementRequest.create());
  expect(nothing.code).toBe(INVALID_ARGUMENT);
});

test("free room is shown by cluster and size, and by how many fit close together", async () => {
  const fragmented = async (over: object) =>
    (await at.admin.call(getFragmentation, GetFragmentationRequest.fromPartial(over))).clusters;
  const [before, ...others] = await fragmented({ physicalCluster: "wdc07-hopper-a" });
  expect(others).toEqual([]);
  expect(before).toMatchObject({ freeGpuCount: 16, freeNodeCount: 2, largestGang: 2 });
  expect(before?.shapes[0]).toEqual({
    ...{ gpuCount: 8, fitCount: 2 },
    blocks: [
      { memberCount: 1, blockCount: 2, unscatteredCount: 2 },
      { memberCount: 2, blockCount: 1, unscatteredCount: 1 },
    ],
  });
  const { id } = await tenant.network();
  const request = { shape: shapeOf(id).shape, ttl: { seconds: 3_600n } };
  await tenant.wire.call(createHold, placement.CreateHoldRequest.fromPartial(request));
  const [after] = await fragmented({ physicalCluster: "wdc07-hopper-a" });
  expect(after).toMatchObject({ freeGpuCount: 8, freeNodeCount: 1, largestGang: 1 });
  expect(await fragmented({ zone: "nowhere-1" })).toEqual([]);
  expect((await fragmented({})).length).toBeGreaterThan(1);
});

async function simulated(over: object) {
  const request = SimulatePlacementRequest.fromPartial(over);
  return (await at.admin.call(simulatePlacement, request)).explanations;
}

test("shapes are placed one after another, each into what those before it left", async () => {
  const { id } = await tenant.network();
  const shapes = [1, 1, 1].map((count) => shapeOf(id, { count }));
  const said = await simulated({ shapes });
  expect(said.map(({ fits }) => fits)).toEqual([true, true, false]);
  const used = said.flatMap(({ members }) => members.map(({ nodeName }) => nodeName));
  expect(used.sort()).toEqual(["wdc07-a-r01-s01", "wdc07-a-r01-s02"]);
  expect(await simulated({ shapes })).toEqual(said);
  // Nothing of it was kept.
  expect(await ofShape(id, { count: 2 })).toMatchObject({ fits: true });
});

test("a simulation can think nodes away, and answers alike for the same seed", async () => {
  const { id } = await tenant.network();
  const shapes = [shapeOf(id, { count: 1 })];
  const withoutNodes = ["wdc07-a-r01-s01"];
  const [said] = await simulated({ shapes, withoutNodes });
  expect(said?.members[0]?.nodeName).toBe("wdc07-a-r01-s02");
  const seeded = await simulated({ shapes, seed: 7n });
  expect(await simulated({ shapes, seed: 7n })).toEqual(seeded);
  const request = SimulatePlacementRequest.fromPartial({ shapes, withoutNodes: ["no-such"] });
  const refused = await at.admin.refused(simulatePlacement, request);
  expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, ["without_nodes[0]"]]);
  const wrong = [...shapes, shapeOf(id, { instanceProfile: "no-such" })];
  const missing = SimulatePlacementRequest.fromPartial({ shapes: wrong });
  const { code, fields } = await at.admin.refused(simulatePlacement, missing);
  expect([code, fields]).toEqual([NOT_FOUND, ["shapes[1].shape.instance_profile"]]);
});

test("nothing is proposed where nothing can move, and no cluster by a wrong name", async () => {
  const ask = (over: object) =>
    ProposeDefragmentationRequest.fromPartial({ physicalCluster: "wdc07-hopper-a", ...over });
  expect(await at.admin.call(proposeDefragmentation, ask({}))).toEqual({
    ...{ moves: [], freeNodeCountBefore: 2, freeNodeCountAfter: 2 },
    ...{ largestGangBefore: 2, largestGangAfter: 2 },
  });
  const refused = await at.admin.refused(proposeDefragmentation, ask({ physicalCluster: "no" }));
  expect(refused.code).toBe(NOT_FOUND);
});

test.runIf(OWN_YARD)(
  "two servers half in use: one instance to move empties one of them",
  async () => {
    const names = ["one", "two", "three", "four"];
    const on = new Map<string, string[]>();
    for (const name of names) {
      const { id } = await tenant.instance(name, [], HALF);
      await tenant.running(id);
      const listing = nodes.ListNodesRequest.fromPartial({ pageSize: 100 });
      const { nodes: all } = await at.admin.call(nodes.NodeServiceService.listNodes, listing);
      const holds = (node: nodes.Node) => node.inventory?.gpus.some((gpu) => gpu.instanceId === id);
      const node = all.find(holds)!.name;
      on.set(node, [...(on.get(node) ?? []), id]);
    }
    expect([...on.values()].map(({ length }) => length)).toEqual([2, 2]);
    for (const [, gone] of on.values()) {
      await tenant.delete(gone!);
      await tenant.gone(gone!);
    }
    const request = ProposeDefragmentationRequest.fromPartial({
      physicalCluster: "wdc07-hopper-a",
    });
    const { moves, ...rest } = await at.admin.call(proposeDefragmentation, request);
    expect(moves).toHaveLength(1);
    const [{ instanceId, fromNode, toNode, ...move }] = moves as [(typeof moves)[number]];
    expect(move).toEqual({ gpuCount: 4, account: tenant.account, freeNodeCountAfter: 1 });
    expect(on.get(fromNode)?.[0]).toBe(instanceId);
    expect([...on.keys()].sort()).toEqual([fromNode, toNode].sort());
    expect(rest).toMatchObject({
      freeNodeCountBefore: 0,
      largestGangBefore: 0,
      largestGangAfter: 1,
    });
    const more = { ...request, wantedNodes: 2 };
    expect((await at.admin.call(proposeDefragmentation, more)).moves).toEqual([]);
  },
);
