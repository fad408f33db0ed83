// What the contract says about subnets.
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { I, R } from "./services.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const QUOTA = 32;
const {
  createClusterNetworkSubnet: create,
  getClusterNetworkSubnet: get,
  listClusterNetworkSubnets: list,
  updateClusterNetworkSubnet: update,
  deleteClusterNetworkSubnet: remove,
} = subnets.ClusterNetworkSubnetServiceService;

let at: Target;
let tenant: Tenant;
let clusterNetworkId: string;
beforeAll(async () => {
  at = await target();
});
beforeEach(async () => {
  tenant = await at.tenant();
  clusterNetworkId = (await tenant.network()).id;
});
afterAll(() => at.close());

const block = (value: string) => ({ range: { $case: "ipv4CidrBlock" as const, value } });
const count = (value: bigint) => ({ range: { $case: "totalIpv4AddressCount" as const, value } });
const making = (over: object) =>
  subnets.CreateClusterNetworkSubnetRequest.fromPartial({ clusterNetworkId, ...over });
const cidrOf = async (over: object) => (await tenant.subnet(clusterNetworkId, over)).ipv4CidrBlock;
const refusedBy = (over: object) => tenant.wire.refused(create, making(over));

test("a new subnet is stable and counts its addresses, five of them the provider's", async () => {
  const subnet = await tenant.subnet(clusterNetworkId, { name: "one", ...block("10.1.0.0/24") });
  expect(subnet).toMatchObject({
    ...{ clusterNetworkId, name: "one", ipv4CidrBlock: "10.1.0.0/24", rail: undefined },
    ...{ ipVersion: subnets.IpVersion.IP_VERSION_IPV4, totalIpv4AddressCount: 256n },
    ...{ availableIpv4AddressCount: 251n, lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE },
  });
  const path = { clusterNetworkId, id: subnet.id };
  expect((await tenant.wire.call(get, path)).clusterNetworkSubnet).toEqual(subnet);
  const request = subnets.ListClusterNetworkSubnetsRequest.fromPartial({ clusterNetworkId });
  expect((await tenant.wire.call(list, request)).clusterNetworkSubnets).toEqual([subnet]);
});

test("a count takes the first free range that is aligned to it", async () => {
  expect(await cidrOf(block("10.0.0.0/29"))).toBe("10.0.0.0/29");
  expect(await cidrOf(count(256n))).toBe("10.0.1.0/24");
  expect(await cidrOf(count(8n))).toBe("10.0.0.8/29");
});

test.each([8n, 64n, 2n ** 22n])("a subnet may have %i addresses", async (value) => {
  expect((await tenant.subnet(clusterNetworkId, count(value))).totalIpv4AddressCount).toBe(value);
});

test.each([4n, 9n, 255n, 2n ** 25n, -8n])("a count of %i is refused by field", async (value) => {
  const refused = await refusedBy(count(value));
  const field = "total_ipv4_address_count";
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, field]);
});

test("a count that fits nowhere any more is refused as exhausted", async () => {
  await tenant.subnet(clusterNetworkId, block("10.0.0.0/10"));
  await tenant.subnet(clusterNetworkId, block("10.64.0.0/10"));
  const refused = await refusedBy(count(8n));
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "SUBNET_RANGE_EXHAUSTED"]);
});

test.each(["10.0.0.1/24", "10.0.0.0/30", "10.0.0.0/7", "192.168.0.0/24", "127.0.0.0/24", "x"])(
  "the block %s is refused by field",
  async (value) => {
    const refused = await refusedBy(block(value));
    expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "ipv4_cidr_block"]);
  },
);

test.each([
  ...["10.0.0.0/09", "10.0.0.0/+9", "10.0.0.0/ 9", "10.0.0.0/009", "10.0.0.0/1e1", "10.0.0.0/"],
  ...["010.0.0.0/9", "10.00.0.0/9", "10.0.0.0.0/9", "10.0.0/9", "10.0.0.0 /9", " 10.0.0.0/9"],
  ...["10.0.0.0/9 ", "10.0.0.0/9\n", "+10.0.0.0/9", "0xa.0.0.0/9", "10.0.0.0/9/9", "10.0.0.0"],
])(
  "the block %j is written in another way than the only one, and refused by field",
  async (value) => {
    const refused = await refusedBy(block(value));
    expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "ipv4_cidr_block"]);
  },
);

test("a block that overlaps a sibling is refused", async () => {
  await tenant.subnet(clusterNetworkId, block("10.1.0.0/24"));
  const refused = await refusedBy(block("10.1.0.128/25"));
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "SUBNET_RANGE_OVERLAPS"]);
});

test("exactly one of block and count is required", async () => {
  expect((await refusedBy({})).code).toBe(INVALID_ARGUMENT);
});

test("a subnet can be declared for a rail that its network has", async () => {
  expect((await tenant.subnet(clusterNetworkId, { rail: 7 })).rail).toBe(7);
  expect((await tenant.subnet(clusterNetworkId, { rail: 0 })).rail).toBe(0);
  const refused = await refusedBy({ ...count(8n), rail: 8 });
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "rail"]);
});

test("network, first three hosts and broadcast are the provider's to keep", async () => {
  const { id: subnetId } = await tenant.subnet(clusterNetworkId, block("10.1.0.0/24"));
  const path = { clusterNetworkId, subnetId };
  const { listClusterNetworkSubnetReservedIps, deleteClusterNetworkSubnetReservedIp } =
    ips.ClusterNetworkSubnetReservedIpServiceService;
  const request = ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial(path);
  const { clusterNetworkSubnetReservedIps: rows } = await tenant.wire.call(
    listClusterNetworkSubnetReservedIps,
    request,
  );
  const addresses = ["10.1.0.0", "10.1.0.1", "10.1.0.2", "10.1.0.255", "10.1.0.3"];
  expect(rows.map(({ address }) => address).sort()).toEqual(addresses);
  for (const { id, owner } of rows) {
    expect(owner).toBe(ips.ReservedIpOwner.RESERVED_IP_OWNER_PROVIDER);
    const gone = ips.DeleteClusterNetworkSubnetReservedIpRequest.fromPartial({ ...path, id });
    const refused = await tenant.wire.refused(deleteClusterNetworkSubnetReservedIp, gone);
    expect([refused.code, refused.reason]).toEqual([
      FAILED_PRECONDITION,
      "RESERVED_IP_PROVIDER_OWNED",
    ]);
  }
});

test("a provider's reserved IP is read and filtered like others, and never bound", async () => {
  const { id: subnetId } = await tenant.subnet(clusterNetworkId, block("10.1.0.0/24"));
  const { id: sibling } = await tenant.subnet(clusterNetworkId, block("10.2.0.0/24"));
  const path = { clusterNetworkId, subnetId };
  const listed = async (over: object) => {
    const request = ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial({
      ...path,
      ...over,
    });
    return tenant.wire.call(R.listClusterNetworkSubnetReservedIps, request);
  };
  const { clusterNetworkSubnetReservedIps: rows } = await listed({});
  for (const row of rows) {
    const { id, name, address } = row;
    const at = (subnet: string) => ({ clusterNetworkId, subnetId: subnet, id });
    const got = await tenant.wire.call(R.getClusterNetworkSubnetReservedIp, at(subnetId));
    expect(got.clusterNetworkSubnetReservedIp).toEqual(row);
    const elsewhere = tenant.wire.refused(R.getClusterNetworkSubnetReservedIp, at(sibling));
    expect((await elsewhere).code).toBe(NOT_FOUND);
    for (const filter of [{ name }, { address }, { name, address }]) {
      const found = await listed(filter);
      expect([found.clusterNetworkSubnetReservedIps, found.totalSize]).toEqual([[row], 1n]);
    }
    const binding = nics.CreateClusterNetworkInterfaceRequest.fromPartial({
      clusterNetworkId,
      primaryIp: { source: { $case: "reservedIpId", value: id } },
    });
    const refused = await tenant.wire.refused(I.createClusterNetworkInterface, binding);
    expect([refused.code, refused.reason]).toEqual([
      INVALID_ARGUMENT,
      "RESERVED_IP_PROVIDER_OWNED",
    ]);
    const taking = ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial({
      ...path,
      address,
    });
    const taken = await tenant.wire.refused(R.createClusterNetworkSubnetReservedIp, taking);
    expect(taken.message).toContain(id);
  }
  const stranger = await at.tenant();
  const foreign = { ...path, id: rows[0]?.id ?? "" };
  expect((await stranger.wire.refused(R.getClusterNetworkSubnetReservedIp, foreign)).code).toBe(
    NOT_FOUND,
  );
  await tenant.wire.call(
    remove,
    subnets.DeleteClusterNetworkSubnetRequest.fromPartial({ clusterNetworkId, id: subnetId }),
  );
  expect((await tenant.wire.refused(R.getClusterNetworkSubnetReservedIp, foreign)).code).toBe(
    NOT_FOUND,
  );
});

test("a subnet's name is unique in its network only, and can be changed", async () => {
  const { id } = await tenant.subnet(clusterNetworkId, { name: "one" });
  expect((await refusedBy({ ...count(8n), name: "one" })).reason).toBe("NAME_TAKEN");
  const { id: elsewhere } = await tenant.network();
  await tenant.subnet(elsewhere, { name: "one" });
  const request = subnets.UpdateClusterNetworkSubnetRequest.fromPartial({
    ...{ clusterNetworkId, id, clusterNetworkSubnet: { name: "two" }, updateMask: ["name"] },
  });
  const { clusterNetworkSubnet } = await tenant.wire.call(update, request);
  expect(clusterNetworkSubnet?.name).toBe("two");
  const immutable = { ...request, updateMask: ["rail"] };
  expect((await tenant.wire.refused(update, immutable)).code).toBe(INVALID_ARGUMENT);
});

test("a subnet is not deleted while an interface uses it; its free IPs go with it", async () => {
  const { id: subnetId } = await tenant.subnet(clusterNetworkId);
  const user = await tenant.interface(clusterNetworkId, subnetId);
  const gone = subnets.DeleteClusterNetworkSubnetRequest.fromPartial({
    ...{ clusterNetworkId, id: subnetId },
  });
  const refused = await tenant.wire.refused(remove, gone);
  expect([refused.code, refused.reason]).toEqual([
    FAILED_PRECONDITION,
    "SUBNET_IN_USE_INTERFACE_EXISTS",
  ]);
  expect(refused.details.holders?.violations[0]?.subject).toContain(user.id);
  const { id: free } = await tenant.subnet(clusterNetworkId);
  const { createClusterNetworkSubnetReservedIp } = ips.ClusterNetworkSubnetReservedIpServiceService;
  const held = { clusterNetworkId, subnetId: free };
  const request = ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial(held);
  await tenant.wire.call(createClusterNetworkSubnetReservedIp, request);
  await tenant.wire.call(remove, { ...gone, id: free });
  const missing = { clusterNetworkId, id: free };
  expect((await tenant.wire.refused(get, missing)).code).toBe(NOT_FOUND);
});

test("a subnet below another network is not found", async () => {
  const { id } = await tenant.subnet(clusterNetworkId);
  const { id: elsewhere } = await tenant.network();
  const refused = await tenant.wire.refused(get, { clusterNetworkId: elsewhere, id });
  expect(refused.code).toBe(NOT_FOUND);
});

test("a network's thirty-third subnet is refused by the quota", async () => {
  for (let made = 0; made < QUOTA; made++) await tenant.subnet(clusterNetworkId, count(8n));
  const refused = await refusedBy(count(8n));
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"]);
});
