// What the contract says about interfaces.
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ZONE } from "../customer.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const FAILED_PRECONDITION = 9;
const {
  createClusterNetworkInterface: create,
  getClusterNetworkInterface: get,
  listClusterNetworkInterfaces: list,
  updateClusterNetworkInterface: update,
  deleteClusterNetworkInterface: remove,
} = nics.ClusterNetworkInterfaceServiceService;
const ipCalls = ips.ClusterNetworkSubnetReservedIpServiceService;

let at: Target;
let tenant: Tenant;
let clusterNetworkId: string;
let subnetId: string;
beforeAll(async () => {
  at = await target();
});
beforeEach(async () => {
  tenant = await at.tenant();
  clusterNetworkId = (await tenant.network()).id;
  const range = { $case: "ipv4CidrBlock" as const, value: "10.1.0.0/24" };
  subnetId = (await tenant.subnet(clusterNetworkId, { range })).id;
});
afterAll(() => at.close());

const making = (over: object = {}) =>
  nics.CreateClusterNetworkInterfaceRequest.fromPartial({ clusterNetworkId, subnetId, ...over });
const updating = (id: string, clusterNetworkInterface: object, ...updateMask: string[]) =>
  nics.UpdateClusterNetworkInterfaceRequest.fromPartial({
    ...{ clusterNetworkId, id, clusterNetworkInterface, updateMask },
  });
const deleting = (id: string) =>
  nics.DeleteClusterNetworkInterfaceRequest.fromPartial({ clusterNetworkId, id });
const fresh = (value: object) => ({ source: { $case: "reservedIp" as const, value } });
const existing = (value: string) => ({ source: { $case: "reservedIpId" as const, value } });

async function make(over: object = {}) {
  return (await tenant.wire.call(create, making(over))).clusterNetworkInterface!;
}

async function reserve() {
  const request = ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial({
    ...{ clusterNetworkId, subnetId },
  });
  const made = await tenant.wire.call(ipCalls.createClusterNetworkSubnetReservedIp, request);
  return made.clusterNetworkSubnetReservedIp!;
}

const ip = (id: string) => ({ clusterNetworkId, subnetId, id });

test("a new interface has an address, a MAC, and its network's VPC and zone", async () => {
  const nic = await make({ name: "one" });
  expect(nic).toMatchObject({
    ...{ name: "one", clusterNetworkId, zone: ZONE, vpc: { id: "vpc-research" } },
    ...{ subnet: { id: subnetId, deleted: false }, target: undefined, autoDelete: false },
    allowIpSpoofing: false,
  });
  expect(nic.primaryIp?.address).toMatch(/^10\.1\.0\.\d+$/);
  const got = await tenant.wire.call(get, { clusterNetworkId, id: nic.id });
  expect(got.clusterNetworkInterface).toEqual(nic);
});

test("MACs are locally administered unicast, and unique in their network", async () => {
  const macs = new Set<string>();
  for (let i = 0; i < 20; i++) macs.add((await make()).macAddress);
  expect(macs.size).toBe(20);
  for (const mac of macs) expect(mac).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
});

test("the primary IP is reserved as asked, and gone with the interface", async () => {
  const primaryIp = fresh({ address: "10.1.0.9", name: "mine" });
  const nic = await make({ primaryIp });
  expect(nic.primaryIp).toMatchObject({ address: "10.1.0.9", name: "mine", deleted: false });
  const { clusterNetworkSubnetReservedIp: row } = await tenant.wire.call(
    ipCalls.getClusterNetworkSubnetReservedIp,
    ip(nic.primaryIp!.id),
  );
  expect(row).toMatchObject({ autoDelete: true, target: { id: nic.id } });
  await tenant.wire.call(remove, deleting(nic.id));
  const path = ip(nic.primaryIp!.id);
  const refused = await tenant.wire.refused(ipCalls.getClusterNetworkSubnetReservedIp, path);
  expect(refused.code).toBe(NOT_FOUND);
});

test("a primary IP without auto_delete outlives its interface, unbound", async () => {
  const nic = await make({ primaryIp: fresh({ autoDelete: false }) });
  await tenant.wire.call(remove, deleting(nic.id));
  const { clusterNetworkSubnetReservedIp: row } = await tenant.wire.call(
    ipCalls.getClusterNetworkSubnetReservedIp,
    ip(nic.primaryIp!.id),
  );
  expect(row).toMatchObject({ target: undefined, autoDelete: false });
});

test("an existing unbound reserved IP can be named, and then needs no subnet", async () => {
  const { id, address } = await reserve();
  const nic = await make({ subnetId: "", primaryIp: existing(id) });
  expect(nic).toMatchObject({ subnet: { id: subnetId }, primaryIp: { id, address } });
});

test("a reserved IP that is bound is refused, naming the holder", async () => {
  const { id } = await reserve();
  const holder = await make({ primaryIp: existing(id) });
  const refused = await tenant.wire.refused(create, making({ primaryIp: existing(id) }));
  expect([refused.code, refused.reason]).toEqual([
    FAILED_PRECONDITION,
    "RESERVED_IP_ALREADY_BOUND",
  ]);
  expect(refused.details.holders?.violations[0]?.subject).toContain(holder.id);
});

test("without an existing reserved IP a subnet is required", async () => {
  const refused = await tenant.wire.refused(create, making({ subnetId: "" }));
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "subnet_id"]);
});

test("an address that is held is refused by its path", async () => {
  await make({ primaryIp: fresh({ address: "10.1.0.9" }) });
  const primaryIp = fresh({ address: "10.1.0.9" });
  const refused = await tenant.wire.refused(create, making({ primaryIp }));
  expect([refused.code, refused.reason]).toEqual([ALREADY_EXISTS, "ADDRESS_TAKEN"]);
  expect(refused.fields).toEqual(["primary_ip.reserved_ip.address"]);
});

test("an interface's name is unique in its network and can be changed", async () => {
  const { id } = await make({ name: "one" });
  expect((await tenant.wire.refused(create, making({ name: "one" }))).reason).toBe("NAME_TAKEN");
  const changed = await tenant.wire.call(update, updating(id, { name: "two" }, "name"));
  expect(changed.clusterNetworkInterface?.name).toBe("two");
});

test("allow_ip_spoofing can be set at creation and changed", async () => {
  const { id, allowIpSpoofing } = await make({ allowIpSpoofing: true });
  expect(allowIpSpoofing).toBe(true);
  const request = updating(id, { allowIpSpoofing: false }, "allow_ip_spoofing");
  const { clusterNetworkInterface } = await tenant.wire.call(update, request);
  expect(clusterNetworkInterface?.allowIpSpoofing).toBe(false);
});

test("auto_delete must be false while an interface is unattached", async () => {
  const { id } = await make();
  const request = updating(id, { autoDelete: true }, "auto_delete");
  const refused = await tenant.wire.refused(update, request);
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "AUTO_DELETE_UNBOUND"]);
});

test("address, MAC and subnet of an interface cannot be changed", async () => {
  const { id } = await make();
  for (const field of ["primary_ip", "mac_address", "subnet", "zone"]) {
    const refused = await tenant.wire.refused(update, updating(id, {}, field));
    expect([refused.code, refused.message.includes(field)]).toEqual([INVALID_ARGUMENT, true]);
  }
});

test("interfaces are filtered by name, subnet and target", async () => {
  const nic = await make({ name: "one" });
  const { id: other } = await tenant.subnet(clusterNetworkId);
  const rows = async (over: object) => {
    const request = nics.ListClusterNetworkInterfacesRequest.fromPartial({
      ...{ clusterNetworkId, ...over },
    });
    return (await tenant.wire.call(list, request)).clusterNetworkInterfaces;
  };
  expect(await rows({})).toEqual([nic]);
  expect(await rows({ name: "one", subnetId })).toEqual([nic]);
  expect(await rows({ subnetId: other })).toEqual([]);
  expect(await rows({ targetId: "ina-nothing" })).toEqual([]);
});
