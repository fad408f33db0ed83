// What the contract says about cluster networks.
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ZONE } from "../customer.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const QUOTA = 5;
const SOUND = { profile: "hopper-1", vpcId: "vpc-research", zone: ZONE };
const {
  createClusterNetwork: create,
  getClusterNetwork: get,
  listClusterNetworks: list,
  updateClusterNetwork: update,
  deleteClusterNetwork: remove,
} = nets.ClusterNetworkServiceService;

let at: Target;
beforeAll(async () => {
  at = await target();
});
afterAll(() => at.close());

const making = (over: object = {}) =>
  nets.CreateClusterNetworkRequest.fromPartial({ ...SOUND, ...over });
const listing = (over: object = {}) => nets.ListClusterNetworksRequest.fromPartial(over);
const deleting = (id: string, over: object = {}) =>
  nets.DeleteClusterNetworkRequest.fromPartial({ id, ...over });
const renaming = (id: string, name: string, over: object = {}) =>
  nets.UpdateClusterNetworkRequest.fromPartial({
    ...{ id, clusterNetwork: { name }, updateMask: ["name"] },
    ...over,
  });

async function listed(tenant: Tenant, over: object = {}): Promise<string[]> {
  const { clusterNetworks } = await tenant.wire.call(list, listing(over));
  return clusterNetworks.map(({ name }) => name);
}

test("a new network is stable, shows what it was made of and has a prefix by default", async () => {
  const network = await (await at.tenant()).network({ name: "train" });
  expect(network).toMatchObject({
    ...{ name: "train", zone: ZONE, lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE },
    lifecycleReasons: [],
    profile: { name: "hopper-1" },
    vpc: { id: "vpc-research", name: "research", deleted: false },
    subnetPrefixes: [
      { cidr: "10.0.0.0/9", allocationPolicy: nets.AllocationPolicy.ALLOCATION_POLICY_AUTO },
    ],
  });
  expect(network.id).toMatch(/^[-0-9a-z_]{1,64}$/);
  expect(network.crn).toContain(network.id);
  expect([network.etag, network.resourceType]).not.toContain("");
  expect(network.createdAt).toBeInstanceOf(Date);
});

test("a network without a name gets four random words", async () => {
  expect((await (await at.tenant()).network()).name).toMatch(/^[a-z]+(-[a-z]+){3}$/);
});

test("what create answers is what get and list show", async () => {
  const tenant = await at.tenant();
  const made = await tenant.network();
  const { clusterNetwork } = await tenant.wire.call(get, { id: made.id });
  expect(clusterNetwork).toEqual(made);
  const { clusterNetworks, totalSize } = await tenant.wire.call(list, listing());
  expect([clusterNetworks, totalSize]).toEqual([[made], 1n]);
});

test("a network's name is unique per account, and free for another account", async () => {
  const [mine, other] = [await at.tenant(), await at.tenant()];
  await mine.network({ name: "train" });
  const refused = await mine.wire.refused(create, making({ name: "train" }));
  expect([refused.code, refused.reason, ...refused.fields]).toEqual([6, "NAME_TAKEN", "name"]);
  expect((await other.network({ name: "train" })).name).toBe("train");
});

test.each(["Train", "-train", "train-", "12", "a_b", "a".repeat(64)])(
  "the name %s is malformed",
  async (name) => {
    const refused = await (await at.tenant()).wire.refused(create, making({ name }));
    expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "name"]);
  },
);

test.each(["a", "1a", "a-1", "a".repeat(63)])("the name %s is well formed", async (name) => {
  expect((await (await at.tenant()).network({ name })).name).toBe(name);
});

test.each(["ibm-net", "railyard-net"])("the name %s is kept for the provider", async (name) => {
  const refused = await (await at.tenant()).wire.refused(create, making({ name }));
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "NAME_RESERVED"]);
});

test("profile, VPC and zone are required, and named all at once", async () => {
  const { wire } = await at.tenant();
  const refused = await wire.refused(create, nets.CreateClusterNetworkRequest.fromPartial({}));
  expect([refused.code, ...refused.fields]).toEqual([
    INVALID_ARGUMENT,
    ...["profile", "vpc_id", "zone"],
  ]);
});

test("an unknown profile, VPC or zone is not found, by its field", async () => {
  const { wire } = await at.tenant();
  for (const [field, over] of Object.entries({
    profile: { profile: "nothing" },
    vpc_id: { vpcId: "vpc-nothing" },
    zone: { zone: "nowhere-1" },
  })) {
    const refused = await wire.refused(create, making(over));
    expect([refused.code, ...refused.fields], field).toEqual([NOT_FOUND, field]);
  }
});

test.each([
  ...["127.0.0.0/9", "169.254.0.0/16", "224.0.0.0/8", "10.0.0.1/9", "10.0.0.0/33", "10.0.0.0/09"],
  ...["010.0.0.0/9", "10.0.0.0/+9", " 10.0.0.0/9", "10.0.0.0/9 "],
])("the prefix %j is refused by field", async (cidr) => {
  const request = making({ subnetPrefixes: [{ cidr }] });
  const refused = await (await at.tenant()).wire.refused(create, request);
  const field = "subnet_prefixes[0].cidr";
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, field]);
});

test.each(["0.0.0.0/8", "10.0.0.0/29", "100.64.0.0/10", "240.0.0.0/4", "255.255.255.0/24"])(
  "the prefix %s is accepted, since it is private to its network",
  async (cidr) => {
    const { subnetPrefixes } = await (await at.tenant()).network({
      subnetPrefixes: [{ cidr, allocationPolicy: 0 }],
    });
    expect(subnetPrefixes).toEqual([
      { cidr, allocationPolicy: nets.AllocationPolicy.ALLOCATION_POLICY_AUTO },
    ]);
  },
);

test("a network has exactly one prefix", async () => {
  const subnetPrefixes = [{ cidr: "10.0.0.0/9" }, { cidr: "10.128.0.0/9" }];
  const refused = await (await at.tenant()).wire.refused(create, making({ subnetPrefixes }));
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "subnet_prefixes"]);
});

test("prefixes of two networks may overlap, since a prefix is private to its network", async () => {
  const tenant = await at.tenant();
  const prefixes = [await tenant.network(), await tenant.network()].map((n) => n.subnetPrefixes);
  expect(prefixes[0]).toEqual(prefixes[1]);
});

test("networks are filtered by name, resource group and VPC", async () => {
  const tenant = await at.tenant();
  await tenant.network({ name: "one", resourceGroupId: "rg-1" });
  await tenant.network({ name: "two", vpcId: "vpc-serving" });
  expect(await listed(tenant, { name: "one" })).toEqual(["one"]);
  expect(await listed(tenant, { resourceGroupId: "rg-1" })).toEqual(["one"]);
  expect(await listed(tenant, { vpcId: "vpc-serving" })).toEqual(["two"]);
});

test("networks are listed newest first, or in the order asked for", async () => {
  const tenant = await at.tenant();
  const made: { name: string; at: number }[] = [];
  for (const name of ["bravo", "alpha", "charlie"]) {
    const { createdAt } = await tenant.network({ name });
    made.push({ name, at: createdAt!.getTime() });
  }
  const byTime = (sign: number) =>
    [...made]
      .sort((a, b) => sign * (a.at - b.at) || (a.name < b.name ? -1 : 1))
      .map(({ name }) => name);
  for (const orderBy of ["", "created_at desc"]) {
    expect(await listed(tenant, { orderBy })).toEqual(byTime(-1));
  }
  expect(await listed(tenant, { orderBy: "created_at" })).toEqual(byTime(1));
  expect(await listed(tenant, { orderBy: "name" })).toEqual(["alpha", "bravo", "charlie"]);
  expect(await listed(tenant, { orderBy: "name desc" })).toEqual(["charlie", "bravo", "alpha"]);
  const refused = await tenant.wire.refused(list, listing({ orderBy: "colour" }));
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "ORDER_BY_INVALID"]);
});

test("only the name of a network can be changed", async () => {
  const tenant = await at.tenant();
  const before = await tenant.network({ name: "one" });
  const { clusterNetwork: after } = await tenant.wire.call(update, renaming(before.id, "two"));
  expect(after).toEqual({ ...before, name: "two", etag: after?.etag });
  expect(after?.etag).not.toBe(before.etag);
  for (const path of ["zone", "colour"]) {
    const request = renaming(before.id, "three", { updateMask: [path] });
    const refused = await tenant.wire.refused(update, request);
    expect(refused.code).toBe(INVALID_ARGUMENT);
    expect(refused.message).toContain(path);
  }
});

test("a network with subnets is deleted only with cascade, which takes them along", async () => {
  const tenant = await at.tenant();
  const { id } = await tenant.network();
  const subnet = await tenant.subnet(id);
  await tenant.interface(id, subnet.id);
  const refused = await tenant.wire.refused(remove, deleting(id));
  expect([refused.code, refused.reason]).toEqual([
    FAILED_PRECONDITION,
    "CLUSTER_NETWORK_IN_USE_SUBNET_EXISTS",
  ]);
  expect(refused.details.holders?.violations[0]?.subject).toContain(subnet.id);
  await tenant.wire.call(remove, deleting(id, { cascade: true }));
  expect((await tenant.wire.refused(get, { id })).code).toBe(NOT_FOUND);
});

test("an empty network is deleted and its name is free again", async () => {
  const tenant = await at.tenant();
  const { id } = await tenant.network({ name: "one" });
  const { clusterNetwork } = await tenant.wire.call(remove, deleting(id));
  expect(clusterNetwork?.lifecycleState).toBe(LifecycleState.LIFECYCLE_STATE_DELETING);
  expect((await tenant.network({ name: "one" })).id).not.toBe(id);
});

test("a sixth network is refused by the quota, and a deleted one gives room", async () => {
  const tenant = await at.tenant();
  const { id } = await tenant.network();
  for (let made = 1; made < QUOTA; made++) await tenant.network();
  const refused = await tenant.wire.refused(create, making());
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"]);
  expect(refused.details.quota?.violations).toHaveLength(1);
  expect(refused.details.info?.metadata.get("limit")).toBe(String(QUOTA));
  await tenant.wire.call(remove, deleting(id));
  await tenant.network();
});
