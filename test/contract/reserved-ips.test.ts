// What the contract says about reserved IPs.

import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const {
  createClusterNetworkSubnetReservedIp: create,
  getClusterNetworkSubnetReservedIp: get,
  listClusterNetworkSubnetReservedIps: list,
  updateClusterNetworkSubnetReservedIp: update,
  deleteClusterNetworkSubnetReservedIp: remove,
} = ips.ClusterNetworkSubnetReservedIpServiceService;

let at: Target;
let tenant: Tenant;
let path: { clusterNetworkId: string; subnetId: string };
beforeAll(async () => {
  at = await target();
});
beforeEach(async () => {
  tenant = await at.tenant();
  const clusterNetworkId = (await tenant.network()).id;
  const range = { $case: "ipv4CidrBlock" as const, value: "10.1.0.0/28" };
  path = { clusterNetworkId, subnetId: (await tenant.subnet(clusterNetworkId, { range })).id };
});
afterAll(() => at.close());

const making = (over: object = {}) =>
  ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial({ ...path, ...over });

async function reserve(over: object = {}) {
  const made = await tenant.wire.call(create, making(over));
  return made.clusterNetworkSubnetReservedIp!;
}

async function available() {
  const { getClusterNetworkSubnet } = subnets.ClusterNetworkSubnetServiceService;
  const { clusterNetworkId, subnetId: id } = path;
  const { clusterNetworkSubnet } = await tenant.wire.call(getClusterNetworkSubnet, {
    ...{ clusterNetworkId, id },
  });
  return clusterNetworkSubnet?.availableIpv4AddressCount;
}

const updating = (id: string, over: object) =>
  ips.UpdateClusterNetworkSubnetReservedIpRequest.fromPartial({ ...path, id, ...over });

test("a reserved IP without an address gets a free one, the user's and unbound", async () => {
  const row = await reserve({ name: "one" });
  expect(row).toMatchObject({
    ...{ ...path, name: "one", autoDelete: false, target: undefined },
    owner: ips.ReservedIpOwner.RESERVED_IP_OWNER_USER,
  });
  expect(row.address).toMatch(/^10\.1\.0\.\d+$/);
  const { clusterNetworkSubnetReservedIp: got } = await tenant.wire.call(get, {
    ...{ ...path, id: row.id },
  });
  expect(got).toEqual(row);
});

test("the address asked for is reserved", async () => {
  expect((await reserve({ address: "10.1.0.9" })).address).toBe("10.1.0.9");
});

test("an address outside the subnet is refused by field", async () => {
  const refused = await tenant.wire.refused(create, making({ address: "10.2.0.9" }));
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "ADDRESS_OUTSIDE_SUBNET"]);
  expect(refused.fields).toEqual(["address"]);
});

test("an address that is held is refused, naming the caller's own holder", async () => {
  const { id } = await reserve({ address: "10.1.0.9" });
  const refused = await tenant.wire.refused(create, making({ address: "10.1.0.9" }));
  expect([refused.code, refused.reason]).toEqual([ALREADY_EXISTS, "ADDRESS_TAKEN"]);
  expect(refused.message).toContain(id);
});

test("a provider's address cannot be reserved", async () => {
  for (const address of ["10.1.0.0", "10.1.0.1", "10.1.0.3", "10.1.0.15"]) {
    const refused = await tenant.wire.refused(create, making({ address }));
    expect(refused.code, address).toBe(ALREADY_EXISTS);
  }
});

test("the available count is exact until the subnet is exhausted", async () => {
  const total = 16n;
  for (let left = total - 5n; left > 0n; left--) {
    expect(await available()).toBe(left);
    await reserve();
  }
  expect(await available()).toBe(0n);
  const refused = await tenant.wire.refused(create, making());
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "ADDRESSES_EXHAUSTED"]);
});

test("a deleted reserved IP's address is free again", async () => {
  const { id } = await reserve({ address: "10.1.0.9" });
  const before = await available();
  const gone = ips.DeleteClusterNetworkSubnetReservedIpRequest.fromPartial({ ...path, id });
  await tenant.wire.call(remove, gone);
  expect(await available()).toBe((before ?? 0n) + 1n);
  expect((await tenant.wire.refused(get, { ...path, id })).code).toBe(NOT_FOUND);
  await reserve({ address: "10.1.0.9" });
});

test("a bound reserved IP cannot be deleted, and says what holds it", async () => {
  const nic = await tenant.interface(path.clusterNetworkId, path.subnetId);
  const id = nic.primaryIp!.id;
  const gone = ips.DeleteClusterNetworkSubnetReservedIpRequest.fromPartial({ ...path, id });
  const refused = await tenant.wire.refused(remove, gone);
  expect([refused.code, refused.reason]).toEqual([
    FAILED_PRECONDITION,
    "RESERVED_IP_IN_USE_INTERFACE_EXISTS",
  ]);
  expect(refused.details.holders?.violations[0]?.subject).toContain(nic.id);
  const { clusterNetworkSubnetReservedIp: row } = await tenant.wire.call(get, { ...path, id });
  expect(row?.target).toMatchObject({ id: nic.id, name: nic.name, deleted: false });
});

test("auto_delete must be false while a reserved IP is unbound", async () => {
  const { id } = await reserve();
  const refused = await tenant.wire.refused(
    update,
    updating(id, {
      clusterNetworkSubnetReservedIp: { autoDelete: true },
      updateMask: ["auto_delete"],
    }),
  );
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "AUTO_DELETE_UNBOUND"]);
});

test("auto_delete of a bound reserved IP can be changed", async () => {
  const nic = await tenant.interface(path.clusterNetworkId, path.subnetId);
  const id = nic.primaryIp!.id;
  for (const autoDelete of [false, true]) {
    const clusterNetworkSubnetReservedIp = { autoDelete };
    const request = updating(id, { clusterNetworkSubnetReservedIp, updateMask: ["auto_delete"] });
    const { clusterNetworkSubnetReservedIp: row } = await tenant.wire.call(update, request);
    expect(row?.autoDelete).toBe(autoDelete);
  }
});

test("a reserved IP's name is unique in its subnet and can be changed", async () => {
  const { id } = await reserve({ name: "one" });
  const taken = await tenant.wire.refused(create, making({ name: "one" }));
  expect([taken.code, taken.reason]).toEqual([ALREADY_EXISTS, "NAME_TAKEN"]);
  const clusterNetworkSubnetReservedIp = { name: "two", address: "10.1.0.9" };
  const named = updating(id, { clusterNetworkSubnetReservedIp, updateMask: ["name"] });
  const { clusterNetworkSubnetReservedIp: row } = await tenant.wire.call(update, named);
  expect(row?.name).toBe("two");
  const refused = await tenant.wire.refused(update, { ...named, updateMask: ["address"] });
  expect(refused.code).toBe(INVALID_ARGUMENT);
});

test("reserved IPs are filtered by name and by address", async () => {
  const row = await reserve({ name: "one", address: "10.1.0.9" });
  const rows = async (over: object) => {
    const request = ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial({
      ...{ ...path, ...over },
    });
    return (await tenant.wire.call(list, request)).clusterNetworkSubnetReservedIps;
  };
  expect(await rows({ name: "one" })).toEqual([row]);
  expect(await rows({ address: "10.1.0.9" })).toEqual([row]);
  expect(await rows({ name: "two" })).toEqual([]);
});

test("a list names a bad address beside a page token that is none of its own", async () => {
  const over = { ...path, address: "999.1.1.1", pageToken: "x.y" };
  const request = ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial(over);
  const refused = await tenant.wire.refused(list, request);
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "address", "page_token"]);
});
