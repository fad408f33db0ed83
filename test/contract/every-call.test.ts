// What the contract says about every call, whatever its noun: lists, updates, creates, dry runs,
// errors, references, foreign objects, newer clients. Subnets and networks stand for all.
import { randomUUID } from "node:crypto";
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ZONE } from "../customer.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const ABORTED = 10;
const RESOURCE_EXHAUSTED = 8;
const netCalls = nets.ClusterNetworkServiceService;
const { createClusterNetwork, getClusterNetwork, updateClusterNetwork } = netCalls;
const { listClusterNetworkSubnets, createClusterNetworkSubnet } =
  subnets.ClusterNetworkSubnetServiceService;

let at: Target;
let tenant: Tenant;
beforeAll(async () => {
  at = await target();
});
beforeEach(async () => {
  tenant = await at.tenant();
});
afterAll(() => at.close());

const making = (over: object = {}) =>
  nets.CreateClusterNetworkRequest.fromPartial({
    ...{ profile: "hopper-1", vpcId: "vpc-research", zone: ZONE, ...over },
  });
const renaming = (id: string, over: object = {}) =>
  nets.UpdateClusterNetworkRequest.fromPartial({
    ...{ id, clusterNetwork: { name: "two" }, updateMask: ["name"], ...over },
  });

async function networks() {
  const request = nets.ListClusterNetworksRequest.fromPartial({});
  return (await tenant.wire.call(netCalls.listClusterNetworks, request)).totalSize;
}

function pages(clusterNetworkId: string) {
  return (over: object) => {
    const request = { clusterNetworkId, ...over };
    const whole = subnets.ListClusterNetworkSubnetsRequest.fromPartial(request);
    return tenant.wire.call(listClusterNetworkSubnets, whole);
  };
}

async function network(count: number) {
  const { id } = await tenant.network();
  for (let i = 0; i < count; i++) await tenant.subnet(id, { name: `subnet-${i}` });
  return id;
}

test("a list is read in pages that neither repeat nor miss a row, and counts all", async () => {
  const page = pages(await network(7));
  const seen: string[] = [];
  for (let pageToken = "", more = true; more; more = pageToken !== "") {
    const { clusterNetworkSubnets: rows, ...rest } = await page({ pageSize: 3, pageToken });
    expect(rest.totalSize).toBe(7n);
    seen.push(...rows.map(({ name }) => name));
    pageToken = rest.nextPageToken;
  }
  expect(seen.slice().sort()).toEqual(Array.from({ length: 7 }, (_, i) => `subnet-${i}`));
});

test("what is added and deleted between two pages moves no other row", async () => {
  const id = await network(6);
  const page = pages(id);
  const first = await page({ pageSize: 2 });
  await tenant.subnet(id, { name: "late" });
  const gone = first.clusterNetworkSubnets[0]!;
  const { deleteClusterNetworkSubnet } = subnets.ClusterNetworkSubnetServiceService;
  await tenant.wire.call(
    deleteClusterNetworkSubnet,
    subnets.DeleteClusterNetworkSubnetRequest.fromPartial({ clusterNetworkId: id, id: gone.id }),
  );
  const rest = await page({ pageSize: 100, pageToken: first.nextPageToken });
  const names = [...first.clusterNetworkSubnets, ...rest.clusterNetworkSubnets]
    .map(({ name }) => name)
    .filter((name) => name !== "late");
  expect(names.sort()).toEqual(Array.from({ length: 6 }, (_, i) => `subnet-${i}`));
});

test("a negative page size is refused, one that is too large means the largest", async () => {
  const { id } = await tenant.network();
  await pages(id)({ pageSize: 100_000 });
  const request = subnets.ListClusterNetworkSubnetsRequest.fromPartial({
    ...{ clusterNetworkId: id, pageSize: -1 },
  });
  const refused = await tenant.wire.refused(listClusterNetworkSubnets, request);
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "page_size"]);
});

test("a page token is good for its account and filters only, and cannot be made up", async () => {
  const id = await network(2);
  const { nextPageToken: pageToken } = await pages(id)({ pageSize: 1 });
  const { id: elsewhere } = await tenant.network();
  const forged = `${pageToken.slice(0, -2)}xx`;
  for (const over of [
    { clusterNetworkId: elsewhere, pageToken },
    { clusterNetworkId: id, pageToken: forged },
    { clusterNetworkId: id, pageToken: "nonsense" },
  ]) {
    const request = subnets.ListClusterNetworkSubnetsRequest.fromPartial(over);
    const refused = await tenant.wire.refused(listClusterNetworkSubnets, request);
    expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"]);
  }
});

test("the same request id and body answer with the first object, made once", async () => {
  const request = making({ requestId: randomUUID() });
  const first = await tenant.wire.call(createClusterNetwork, request);
  const [, count] = [await tenant.wire.call(createClusterNetwork, request), await networks()];
  expect(await tenant.wire.call(createClusterNetwork, request)).toEqual(first);
  expect(count).toBe(1n);
});

test("the same request id with another body is refused", async () => {
  const requestId = randomUUID();
  await tenant.wire.call(createClusterNetwork, making({ requestId }));
  const other = making({ requestId, name: "other" });
  const refused = await tenant.wire.refused(createClusterNetwork, other);
  expect([refused.code, refused.reason]).toEqual([ALREADY_EXISTS, "REQUEST_ID_REUSED"]);
});

test("repeats at the same moment make one object", async () => {
  const request = making({ requestId: randomUUID() });
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => tenant.wire.call(createClusterNetwork, request)),
  );
  expect(new Set(answers.map(({ clusterNetwork }) => clusterNetwork?.id)).size).toBe(1);
  expect(await networks()).toBe(1n);
});

test("a refused create can be repeated with the same request id", async () => {
  const requestId = randomUUID();
  const wrong = making({ requestId, zone: "nowhere-1" });
  await tenant.wire.refused(createClusterNetwork, wrong);
  await tenant.wire.call(createClusterNetwork, making({ requestId }));
});

test("a request id of one account means nothing to another", async () => {
  const request = making({ requestId: randomUUID() });
  const { clusterNetwork: mine } = await tenant.wire.call(createClusterNetwork, request);
  const { clusterNetwork } = await (await at.tenant()).wire.call(createClusterNetwork, request);
  expect(clusterNetwork?.id).not.toBe(mine?.id);
});

test("a request id of one call means nothing to another call", async () => {
  const requestId = randomUUID();
  const { clusterNetwork } = await tenant.wire.call(createClusterNetwork, making({ requestId }));
  const request = subnets.CreateClusterNetworkSubnetRequest.fromPartial({
    ...{ clusterNetworkId: clusterNetwork!.id, requestId },
    range: { $case: "totalIpv4AddressCount", value: 8n },
  });
  const made = await tenant.wire.call(createClusterNetworkSubnet, request);
  expect(made.clusterNetworkSubnet?.ipv4CidrBlock).toBe("10.0.0.0/29");
});

test("a dry run uses no request id up, and is no other request than the call itself", async () => {
  const request = making({ requestId: randomUUID(), name: "one" });
  const dry = { ...request, validateOnly: true };
  await tenant.wire.call(createClusterNetwork, dry);
  const first = await tenant.wire.call(createClusterNetwork, request);
  expect(await tenant.wire.call(createClusterNetwork, dry)).toEqual(first);
  const other = await tenant.wire.refused(createClusterNetwork, { ...dry, name: "two" });
  expect(other.reason).toBe("REQUEST_ID_REUSED");
});

test("a request id that is no UUID is refused by field", async () => {
  const request = making({ requestId: "again" });
  const refused = await tenant.wire.refused(createClusterNetwork, request);
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "request_id"]);
});

test("validate_only answers like the call itself and writes nothing", async () => {
  const answer = await tenant.wire.call(createClusterNetwork, making({ validateOnly: true }));
  expect(answer.clusterNetwork?.zone).toBe(ZONE);
  expect(await networks()).toBe(0n);
  const wrong = making({ validateOnly: true, zone: "nowhere-1" });
  expect((await tenant.wire.refused(createClusterNetwork, wrong)).code).toBe(NOT_FOUND);
  const made = await tenant.network();
  await tenant.wire.call(updateClusterNetwork, renaming(made.id, { validateOnly: true }));
  const request = { id: made.id };
  const { clusterNetwork } = await tenant.wire.call(getClusterNetwork, request);
  expect(clusterNetwork).toEqual(made);
});

test("an etag that is no longer the object's is refused, its own is not", async () => {
  const { id, etag } = await tenant.network();
  await tenant.wire.call(updateClusterNetwork, renaming(id, { etag }));
  const late = renaming(id, { etag, clusterNetwork: { name: "three" } });
  const refused = await tenant.wire.refused(updateClusterNetwork, late);
  expect([refused.code, refused.reason]).toEqual([ABORTED, "ETAG_MISMATCH"]);
  const gone = nets.DeleteClusterNetworkRequest.fromPartial({ id, etag });
  const kept = await tenant.wire.refused(netCalls.deleteClusterNetwork, gone);
  expect(kept.reason).toBe("ETAG_MISMATCH");
});

test("an update without a mask, or with an unknown path, is refused", async () => {
  const { id } = await tenant.network();
  for (const updateMask of [[], ["colour"], ["name", "id"]]) {
    const request = renaming(id, { updateMask });
    const refused = await tenant.wire.refused(updateClusterNetwork, request);
    expect(refused.code, updateMask.join()).toBe(INVALID_ARGUMENT);
  }
});

test("every bad field is named at once, with a machine-readable reason", async () => {
  const request = making({
    ...{ name: "Bad_Name", profile: "nothing", zone: "nowhere-1", vpcId: "A B" },
    ...{ subnetPrefixes: [{ cidr: "127.0.0.0/8" }], requestId: "again" },
  });
  const refused = await tenant.wire.refused(createClusterNetwork, request);
  expect(refused.code).toBe(INVALID_ARGUMENT);
  expect(refused.fields).toEqual([
    ...["name", "profile", "request_id", "subnet_prefixes[0].cidr", "vpc_id", "zone"],
  ]);
  expect(refused.details.info).toMatchObject({ domain: "railyard", reason: "FIELD_INVALID" });
});

test("another account's object answers exactly like a missing one", async () => {
  const { id } = await tenant.network();
  const { wire } = await at.tenant();
  const said = async (used: string) => {
    const { code, message, details } = await wire.refused(getClusterNetwork, { id: used });
    return JSON.stringify([code, message, details]).replaceAll(used, "ID");
  };
  expect(await said(id)).toBe(await said("cn-missing"));
});

test("a string that is too long is refused by field", async () => {
  const request = making({ resourceGroupId: "a".repeat(65) });
  const refused = await tenant.wire.refused(createClusterNetwork, request);
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "resource_group_id"]);
});

test("a request above 256 KiB is refused", async () => {
  const request = making({ resourceGroupId: "a".repeat(300_000) });
  const refused = await tenant.wire.refused(createClusterNetwork, request);
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE"]);
});

test("fields that a newer client knows are tolerated", async () => {
  const newer = {
    ...createClusterNetwork,
    requestSerialize: (request: nets.CreateClusterNetworkRequest) =>
      // Field 1000, two bytes of text.
      Buffer.concat([createClusterNetwork.requestSerialize(request), NEWER_FIELD]),
  };
  const { clusterNetwork } = await tenant.wire.call(newer, making({ name: "one" }));
  expect(clusterNetwork?.name).toBe("one");
});

const NEWER_FIELD = Buffer.from([0xc2, 0x3e, 2, 0x68, 0x69]);

test("concurrent creates of one name make one object", async () => {
  const { id } = await tenant.network();
  const request = subnets.CreateClusterNetworkSubnetRequest.fromPartial({
    ...{ clusterNetworkId: id, name: "one" },
    range: { $case: "totalIpv4AddressCount", value: 8n },
  });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 6 }, () => tenant.wire.call(createClusterNetworkSubnet, request)),
  );
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason.reason).toBe("NAME_TAKEN");
  }
});
