// What the contract says to operators about caring for a yard: cordons, fences, quotas, the audit
// log, documents in pieces. Whatever would disturb a yard that others use is only validated.
import { randomUUID } from "node:crypto";
import {
  AuditServiceService,
  ListAuditRecordsRequest,
} from "@railyard/proto/gen/railyard/admin/v1/audit";
import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import * as quotas from "@railyard/proto/gen/railyard/admin/v1/quota";
import {
  ClusterNetworkServiceService,
  CreateClusterNetworkRequest,
  UpdateClusterNetworkRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ZONE } from "../customer.js";
import { type Target, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const ABORTED = 10;
const { listNodes, getNode, cordonNode, uncordonNode, fenceNode } = nodes.NodeServiceService;
const { getQuota, setQuota } = quotas.QuotaServiceService;
const { listAuditRecords } = AuditServiceService;
const { createClusterNetwork, updateClusterNetwork } = ClusterNetworkServiceService;
const NETWORKS = quotas.QuotaSubject.QUOTA_SUBJECT_CLUSTER_NETWORKS_PER_REGION;
const NETWORK = CreateClusterNetworkRequest.fromPartial({
  ...{ profile: "hopper-1", vpcId: "vpc-research", zone: ZONE },
});

let at: Target;
beforeAll(async () => {
  at = await target();
});
afterAll(() => at.close());

async function node() {
  const request = nodes.ListNodesRequest.fromPartial({ pageSize: 1 });
  return (await at.admin.call(listNodes, request)).nodes[0]!;
}

test("a cordon is shown with its reason, and a dry run leaves none", async () => {
  const { id, cordoned } = await node();
  const request = nodes.CordonNodeRequest.fromPartial({ id, reason: "broken fan" });
  const dry = { ...request, validateOnly: true };
  const { node: shown } = await at.admin.call(cordonNode, dry);
  expect(shown).toMatchObject({ cordoned: true, cordonReason: "broken fan" });
  expect((await at.admin.call(getNode, { id })).node?.cordoned).toBe(cordoned);
  const lifting = nodes.UncordonNodeRequest.fromPartial({ id, validateOnly: true });
  expect((await at.admin.call(uncordonNode, lifting)).node?.cordoned).toBe(false);
});

test("a fence needs a method and a reason", async () => {
  const { id } = await node();
  const request = nodes.FenceNodeRequest.fromPartial({ id, validateOnly: true });
  const refused = await at.admin.refused(fenceNode, request);
  expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, ["method", "reason"]]);
});

test("cordon, uncordon and fence find no node that is not there", async () => {
  const id = "node-nothing";
  const method = nodes.FenceMethod.FENCE_METHOD_OPERATOR_WORD;
  const fence = nodes.FenceNodeRequest.fromPartial({ id, method, reason: "gone" });
  for (const refused of [
    await at.admin.refused(cordonNode, nodes.CordonNodeRequest.fromPartial({ id })),
    await at.admin.refused(uncordonNode, nodes.UncordonNodeRequest.fromPartial({ id })),
    await at.admin.refused(fenceNode, fence),
  ]) {
    expect(refused.code).toBe(NOT_FOUND);
  }
});

test("quotas have the contract's defaults, count what is used and can be set", async () => {
  const tenant = await at.tenant();
  const { account } = tenant;
  await tenant.network();
  const { quota } = await at.admin.call(getQuota, { account });
  const limits = new Map(quota?.items.map(({ subject, limit }) => [subject, limit]));
  const S = quotas.QuotaSubject;
  expect(limits.get(NETWORKS)).toBe(5n);
  expect(limits.get(S.QUOTA_SUBJECT_RESERVED_IPS)).toBe(5_000n);
  expect(limits.get(S.QUOTA_SUBJECT_INSTANCES)).toBe(64n);
  expect(limits.get(S.QUOTA_SUBJECT_HOLDS)).toBe(100n);
  expect(quota?.items.find(({ subject }) => subject === NETWORKS)?.used).toBe(1n);
  const request = quotas.SetQuotaRequest.fromPartial({
    ...{ account, limits: [{ subject: NETWORKS, limit: 1n }], etag: quota!.etag },
  });
  await at.admin.call(setQuota, request);
  const refused = await tenant.wire.refused(createClusterNetwork, NETWORK);
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"]);
  expect((await at.admin.refused(setQuota, request)).code).toBe(ABORTED);
});

test("a subject of quotas that is named twice is refused, each time", async () => {
  const { account } = await at.tenant();
  const limits = [NETWORKS, NETWORKS, NETWORKS].map((subject) => ({ subject, limit: 1n }));
  const request = quotas.SetQuotaRequest.fromPartial({ account, limits });
  const refused = await at.admin.refused(setQuota, request);
  expect([refused.code, refused.fields]).toEqual([
    ...[INVALID_ARGUMENT, ["limits[1].subject", "limits[2].subject"]],
  ]);
});

test("every mutation leaves one audit record, and a refused or dry one none", async () => {
  const tenant = await at.tenant();
  const { id } = await tenant.network();
  await tenant.wire.call(createClusterNetwork, { ...NETWORK, validateOnly: true });
  await tenant.wire.refused(createClusterNetwork, { ...NETWORK, zone: "nowhere-1" });
  const { account } = tenant;
  const request = ListAuditRecordsRequest.fromPartial({ account });
  const { auditRecords } = await at.admin.call(listAuditRecords, request);
  expect(auditRecords.map(({ rpc, objects }) => [rpc, objects.some((o) => o.id === id)])).toEqual([
    [expect.stringContaining("CreateClusterNetwork"), true],
  ]);
});

test("a mutation that changes nothing leaves one audit record too, its repeat none", async () => {
  const tenant = await at.tenant();
  const { account, wire } = tenant;
  const { id, name, etag } = await tenant.network();
  const same = UpdateClusterNetworkRequest.fromPartial({
    ...{ id, clusterNetwork: { name }, updateMask: ["name"] },
  });
  const { clusterNetwork } = await wire.call(updateClusterNetwork, same);
  expect(clusterNetwork?.etag).toBe(etag);
  await wire.call(updateClusterNetwork, { ...same, validateOnly: true });
  const again = { ...NETWORK, requestId: randomUUID() };
  for (let i = 0; i < 2; i++) await wire.call(createClusterNetwork, again);
  const request = ListAuditRecordsRequest.fromPartial({ account });
  const { auditRecords } = await at.admin.call(listAuditRecords, request);
  const rpcs = auditRecords.map(({ rpc }) => rpc.split("/").at(-1));
  expect(rpcs).toEqual(["CreateClusterNetwork", "UpdateClusterNetwork", "CreateClusterNetwork"]);
  const revisions = auditRecords.map(({ revision }) => revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => Number(b - a)));
});
