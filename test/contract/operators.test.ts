// What the contract says to operators: nodes, physical clusters and the declared mzone. Whatever
// would disturb a yard that others use is only validated.

import { randomUUID } from "node:crypto";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import * as mzone from "@railyard/proto/gen/railyard/admin/v1/mzone";
import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import * as clusters from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exampleMzone } from "../yard.js";
import { OWN_YARD, type Target, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const { listNodes, getNode, createJoinToken } = nodes.NodeServiceService;
const { listPhysicalClusters, getPhysicalCluster } = clusters.PhysicalClusterServiceService;
const { applyMzone, validateMzone, exportMzone } = mzone.MzoneServiceService;

let at: Target;
beforeAll(async () => {
  at = await target();
});
afterAll(() => at.close());

async function declared() {
  const request = nodes.ListNodesRequest.fromPartial({ pageSize: 100 });
  return (await at.admin.call(listNodes, request)).nodes;
}

const applying = (document: object, over: object = {}) =>
  mzone.ApplyMzoneRequest.fromPartial({
    source: { $case: "documentJson", value: Buffer.from(JSON.stringify(document)) },
    ...{ validateOnly: true, ...over },
  });

test("every declared server is a node, by name, serial, zone, cluster and leaf group", async () => {
  const all = await declared();
  const one = all.find(({ name }) => name === "wdc07-a-r01-s01");
  expect(one).toMatchObject({
    ...{ serial: "GH1001", zone: "us-east-3", physicalCluster: "wdc07-hopper-a" },
    ...{ leafGroup: "su1", hardware: "hgx-h100", role: nodes.NodeRole.NODE_ROLE_HYPERVISOR },
  });
  const { node } = await at.admin.call(getNode, { id: one!.id });
  expect(node).toMatchObject({ id: one!.id, name: one!.name });
});

test("nodes are filtered by name, zone, cluster, leaf group and state", async () => {
  const names = async (over: object) => {
    const request = nodes.ListNodesRequest.fromPartial({ pageSize: 100, ...over });
    return (await at.admin.call(listNodes, request)).nodes.map(({ name }) => name);
  };
  const all = await declared();
  const of = (wanted: (node: nodes.Node) => boolean) => all.filter(wanted).map((n) => n.name);
  const [{ state } = nodes.Node.fromPartial({})] = all;
  expect(await names({ name: "wdc07-a-r01-s01" })).toEqual(["wdc07-a-r01-s01"]);
  expect(await names({ zone: "nowhere-1" })).toEqual([]);
  expect((await names({ physicalCluster: "wdc07-hopper-b" })).sort()).toEqual(
    of((n) => n.physicalCluster === "wdc07-hopper-b").sort(),
  );
  expect((await names({ leafGroup: "su2" })).sort()).toEqual(
    of((n) => n.leafGroup === "su2").sort(),
  );
  expect((await names({ state })).length).toBeGreaterThan(0);
  // None is ever undeclared here, and 99 is a state that only a newer client knows.
  for (const none of [nodes.NodeState.NODE_STATE_UNDECLARED, 99]) {
    expect(await names({ state: none })).toEqual([]);
  }
});

test("a node that is not there is not found", async () => {
  expect((await at.admin.refused(getNode, { id: "node-nothing" })).code).toBe(NOT_FOUND);
});

test("a join token is made for a declared server, whose name must be known", async () => {
  const { publicKey } = createBusIdentity();
  const making = (nodeName: string) =>
    nodes.CreateJoinTokenRequest.fromPartial({ nodeName, publicKey, validateOnly: true });
  const refused = await at.admin.refused(createJoinToken, making("nothing"));
  expect(refused.fields).toEqual(["node_name"]);
  const list = nodes.ListNodesRequest.fromPartial({ pageSize: 100 });
  const all = (await at.admin.call(listNodes, list)).nodes;
  const declared = all.find(({ state }) => state === nodes.NodeState.NODE_STATE_DECLARED)!;
  const { joinToken } = await at.admin.call(createJoinToken, making(declared.name));
  expect(joinToken?.nodeId).toBe(declared.id);
});

test("a physical cluster shows its isolation pool, leaf groups and counts", async () => {
  const request = clusters.ListPhysicalClustersRequest.fromPartial({ name: "wdc07-hopper-a" });
  const { physicalClusters } = await at.admin.call(listPhysicalClusters, request);
  expect(physicalClusters).toHaveLength(1);
  const [{ id, isolation, leafGroups }] = physicalClusters as [clusters.PhysicalCluster];
  expect(isolation).toMatchObject({ first: 100, last: 3999 });
  expect(leafGroups.map(({ name }) => name).sort()).toEqual(["su1", "su2"]);
  const { physicalCluster } = await at.admin.call(getPhysicalCluster, { id });
  expect(physicalCluster?.name).toBe("wdc07-hopper-a");
});

test("the same document again changes nothing", async () => {
  const { changes, mzoneName } = await at.admin.call(applyMzone, applying(exampleMzone()));
  expect([changes, mzoneName]).toEqual([[], "us-east"]);
});

test("a wrong document is refused with every bad path", async () => {
  const document = exampleMzone();
  const servers = document.zones[0]!.servers;
  servers[0]!.cluster = "nowhere";
  servers[2]!.hardware = "abacus";
  document.metadata.generation += 1;
  const refused = await at.admin.refused(applyMzone, applying(document));
  expect([refused.code, refused.fields]).toEqual([
    INVALID_ARGUMENT,
    expect.arrayContaining(["zones[0].servers[0].cluster", "zones[0].servers[2].hardware"]),
  ]);
});

test("a document is validated in pieces, and what is exported is valid", async () => {
  const whole = Buffer.from(JSON.stringify(exampleMzone()));
  const pieces = [whole.subarray(0, 1_000), whole.subarray(1_000)];
  const requests = pieces.map((documentChunk) => ({ documentChunk }));
  const valid = await at.admin.upload(validateMzone, requests);
  expect([valid.mzoneName, valid.summary?.createdCount]).toEqual(["us-east", 0]);
  const request = mzone.ExportMzoneRequest.fromPartial({});
  const stream = at.admin.stream(exportMzone, request);
  expect(await stream.ended).toBeUndefined();
  const exported = stream.messages.map(({ documentChunk }) => ({ documentChunk }));
  const again = await at.admin.upload(validateMzone, exported);
  expect([again.mzoneName, again.summary?.updatedCount]).toEqual(["us-east", 0]);
});

// The last: it raises the generation.
test.runIf(OWN_YARD)("a repeated apply answers with the first plan", async () => {
  const over = { validateOnly: false, requestId: randomUUID() };
  const document = exampleMzone();
  document.metadata.generation += 1;
  const first = await at.admin.call(applyMzone, applying(document, over));
  expect(await at.admin.call(applyMzone, applying(document, over))).toEqual(first);
  document.metadata.generation += 1;
  const other = await at.admin.refused(applyMzone, applying(document, over));
  expect([other.code, other.reason]).toEqual([ALREADY_EXISTS, "REQUEST_ID_REUSED"]);
});
