// What the contract says about quotas: each is held in the transaction of the create that would
// pass it, and says subject, limit and how much is used.
import * as quotas from "@railyard/proto/gen/railyard/admin/v1/quota";
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import {
  CreateHoldRequest,
  PlacementServiceService,
} from "@railyard/proto/gen/railyard/v1/placement";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import type { WireError } from "../wire.js";
import { type Target, type Tenant, target } from "./target.js";

const RESOURCE_EXHAUSTED = 8;
const S = quotas.QuotaSubject;
const { getQuota, setQuota } = quotas.QuotaServiceService;
const { createClusterNetworkInterface } = nics.ClusterNetworkInterfaceServiceService;
const {
  createClusterNetworkSubnetReservedIp: reserveIp,
  deleteClusterNetworkSubnetReservedIp: releaseIp,
} = ips.ClusterNetworkSubnetReservedIpServiceService;

let at: Target;
let tenant: Tenant;
let where: { readonly clusterNetworkId: string; readonly subnetId: string };
beforeAll(async () => {
  at = await target();
});
beforeEach(async () => {
  tenant = await at.tenant();
  const clusterNetworkId = (await tenant.network()).id;
  where = { clusterNetworkId, subnetId: (await tenant.subnet(clusterNetworkId)).id };
});
afterEach(() => at.empty());
afterAll(() => at.close());

async function limit(subject: quotas.QuotaSubject, value: bigint): Promise<void> {
  const limits = [{ subject, limit: value }];
  const { account } = tenant;
  await at.admin.call(setQuota, quotas.SetQuotaRequest.fromPartial({ account, limits }));
}

async function used(subject: quotas.QuotaSubject): Promise<bigint | undefined> {
  const { quota } = await at.admin.call(getQuota, { account: tenant.account });
  return quota?.items.find((item) => item.subject === subject)?.used;
}

/** Subject, limit and use, as the refusal's details say them. */
function said({ code, reason, details }: WireError) {
  const { metadata } = details.info ?? { metadata: new Map<string, string>() };
  return {
    ...{ code, reason, subjects: details.quota?.violations.map(({ subject }) => subject) },
    ...{ limit: metadata.get("limit"), used: metadata.get("used") },
  };
}

const over = (subject: string, of: number, has = of) => ({
  ...{ code: RESOURCE_EXHAUSTED, reason: "QUOTA_EXCEEDED", subjects: [subject] },
  ...{ limit: String(of), used: String(has) },
});

const nic = () => nics.CreateClusterNetworkInterfaceRequest.fromPartial(where);
const ip = () => ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial(where);

test("networks", async () => {
  await limit(S.QUOTA_SUBJECT_CLUSTER_NETWORKS_PER_REGION, 1n);
  const request = nets.CreateClusterNetworkRequest.fromPartial({
    ...{ profile: "hopper-1", vpcId: "vpc-research", zone: "us-east-3" },
  });
  const { createClusterNetwork } = nets.ClusterNetworkServiceService;
  const refused = await tenant.wire.refused(createClusterNetwork, request);
  expect(said(refused)).toEqual(over("cluster-networks", 1));
});

test("subnets, counted within each network", async () => {
  await limit(S.QUOTA_SUBJECT_SUBNETS_PER_CLUSTER_NETWORK, 1n);
  const request = (clusterNetworkId: string) =>
    subnets.CreateClusterNetworkSubnetRequest.fromPartial({
      ...{ clusterNetworkId, range: { $case: "totalIpv4AddressCount", value: 8n } },
    });
  const { createClusterNetworkSubnet } = subnets.ClusterNetworkSubnetServiceService;
  const { clusterNetworkId } = where;
  const refused = await tenant.wire.refused(createClusterNetworkSubnet, request(clusterNetworkId));
  expect(said(refused)).toEqual(over("subnets-per-network", 1));
  const { id: other } = await tenant.network();
  await tenant.wire.call(createClusterNetworkSubnet, request(other));
});

test("reserved IPs, those of interfaces included and the provider's not", async () => {
  await limit(S.QUOTA_SUBJECT_RESERVED_IPS, 2n);
  expect(await used(S.QUOTA_SUBJECT_RESERVED_IPS)).toBe(0n);
  const made = await tenant.wire.call(reserveIp, ip());
  await tenant.wire.call(createClusterNetworkInterface, nic());
  expect(await used(S.QUOTA_SUBJECT_RESERVED_IPS)).toBe(2n);
  for (const refused of [
    await tenant.wire.refused(reserveIp, ip()),
    await tenant.wire.refused(createClusterNetworkInterface, nic()),
  ]) {
    expect(said(refused)).toEqual(over("reserved-ips", 2));
  }
  const { id } = made.clusterNetworkSubnetReservedIp!;
  const gone = ips.DeleteClusterNetworkSubnetReservedIpRequest.fromPartial({ ...where, id });
  await tenant.wire.call(releaseIp, gone);
  await tenant.wire.call(createClusterNetworkInterface, nic());
});

test("reserved IPs of an instance's attachments, all of them or no instance", async () => {
  await limit(S.QUOTA_SUBJECT_RESERVED_IPS, 7n);
  const request = instanceRequest("one", Array(8).fill(where.subnetId));
  const refused = await tenant.wire.refused(InstanceServiceService.createInstance, request);
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"]);
  expect(await used(S.QUOTA_SUBJECT_RESERVED_IPS)).toBe(0n);
  expect(await used(S.QUOTA_SUBJECT_INSTANCES)).toBe(0n);
});

test("instances", async () => {
  await limit(S.QUOTA_SUBJECT_INSTANCES, 1n);
  await tenant.instance("one", [], { profile: "bx3d-8x40" });
  const request = instanceRequest("two", [], { profile: "bx3d-8x40" });
  const refused = await tenant.wire.refused(InstanceServiceService.createInstance, request);
  expect(said(refused)).toEqual(over("instances", 1));
});

test("holds", async () => {
  await limit(S.QUOTA_SUBJECT_HOLDS, 0n);
  const { clusterNetworkId } = where;
  const shape = { clusterNetworkId, instanceProfile: "gx3d-152x1536-8h100", count: 1 };
  const request = CreateHoldRequest.fromPartial({ shape, ttl: { seconds: 60n } });
  const refused = await tenant.wire.refused(PlacementServiceService.createHold, request);
  expect(said(refused)).toEqual(over("holds", 0));
});

test("a dry run is over the quota as the call would be", async () => {
  await limit(S.QUOTA_SUBJECT_INSTANCES, 0n);
  const request = { ...instanceRequest("one", [], { profile: "bx3d-8x40" }), validateOnly: true };
  const refused = await tenant.wire.refused(InstanceServiceService.createInstance, request);
  expect(said(refused)).toEqual(over("instances", 0));
});
