// Tenants' networks, subnets, reserved IPs and interfaces, against the real store in memory.
import {
  createNetwork,
  deleteNetwork,
  getNetwork,
  listNetworks,
  updateNetwork,
} from "@railyard/controller/service/cluster-network";
import {
  createInterface,
  deleteInterface,
  listInterfaces,
  updateInterface,
} from "@railyard/controller/service/interface";
import {
  createReservedIp,
  deleteReservedIp,
  getReservedIp,
  listReservedIps,
  updateReservedIp,
} from "@railyard/controller/service/reserved-ip";
import {
  createSubnet,
  deleteSubnet,
  getSubnet,
  listSubnets,
} from "@railyard/controller/service/subnet";
import { formatCidr, formatIpv4 } from "@railyard/lib/address";
import { expect, test } from "vitest";
import { BOB, fieldsOf, networkWish, QUARANTINE_MS, type Rig, refusal, rig } from "./rig.js";

const newIp = { kind: "new", address: "", name: "", autoDelete: true } as const;

test("a network is made with default prefix, a random name, and an isolation id", async () => {
  const { ctx, call, read } = await rig();
  const made = await createNetwork(ctx, call(), networkWish());
  expect(made.network.name).toMatch(/^[a-z]+-[a-z]+-[a-z]+-[a-z]+$/);
  expect(formatCidr(made.network.prefix)).toBe("10.0.0.0/9");
  expect(made.network.isolation).toEqual({ kind: "vlan", id: 100 });
  expect(made.network.physicalClusterId).toBe("pc-secret-a");
  expect(made.vpc).toEqual({ id: "vpc-1", name: "vpc-one", deleted: false });
  expect(await getNetwork(ctx, read(), made.network.id)).toEqual(made);
});

test("every bad field of a network is named at once and nothing is written", async () => {
  const { ctx, call, read } = await rig();
  await createNetwork(ctx, call(), networkWish({ name: "taken" }));
  const wish = { profile: "nope", zone: "mars", vpcId: "vpc-9", prefix: "127.0.0.0/8" };
  const error = await refusal(createNetwork(ctx, call(), networkWish({ ...wish, name: "taken" })));
  expect(error.code).toBe("invalid");
  expect(fieldsOf(error).sort()).toEqual(
    ["name", "profile", "subnet_prefixes[0].cidr", "vpc_id", "zone"].sort(),
  );
  const page = await listNetworks(ctx, read(), { filter: {}, limit: 10 });
  expect(page.total).toBe(1);
});

test("a wrong zone, a taken name, a reserved name: each has its reason", async () => {
  const { ctx, call } = await rig();
  await createNetwork(ctx, call(), networkWish({ name: "taken" }));
  const reasonOf = async (over: object) =>
    (await refusal(createNetwork(ctx, call(), networkWish(over)))).reason;
  expect(await reasonOf({ zone: "us-east-1" })).toBe("CLUSTER_NETWORK_PROFILE_ZONE_UNSUPPORTED");
  expect(await reasonOf({ name: "taken" })).toBe("NAME_TAKEN");
  expect(await reasonOf({ name: "ibm-net" })).toBe("NAME_RESERVED");
  expect(await reasonOf({ profile: "nope" })).toBe("NOT_FOUND");
});

test("the sixth network is over the quota", async () => {
  const { ctx, call } = await rig();
  for (let i = 0; i < 5; i++) await createNetwork(ctx, call(), networkWish());
  const error = await refusal(createNetwork(ctx, call(), networkWish()));
  expect(error).toMatchObject({ code: "exhausted", reason: "QUOTA_EXCEEDED" });
  expect(error.parts.quota).toMatchObject({ limit: 5, used: 5 });
});

test("another account's network answers exactly like a missing one", async () => {
  const { ctx, call, read } = await rig();
  const { network } = await createNetwork(ctx, call(), networkWish());
  const other = await refusal(getNetwork(ctx, read(BOB), network.id));
  expect(other).toMatchObject({
    code: "notFound",
    message: `cluster_network ${network.id} not found`,
  });
});

test("renaming needs the right etag and refuses what cannot change", async () => {
  const { ctx, call } = await rig();
  const { network } = await createNetwork(ctx, call(), networkWish());
  const base = { id: network.id, etag: "", mask: ["name"], name: "new-name" };
  expect((await refusal(updateNetwork(ctx, call(), { ...base, etag: "old" }))).reason).toBe(
    "ETAG_MISMATCH",
  );
  const bad = await refusal(updateNetwork(ctx, call(), { ...base, mask: ["zone", "colour"] }));
  expect(bad).toMatchObject({ code: "invalid", reason: "FIELD_IMMUTABLE" });
  expect(fieldsOf(bad)).toEqual(["zone", "colour"]);
  const after = await updateNetwork(ctx, call(), { ...base, etag: network.etag });
  expect(after.network.name).toBe("new-name");
  expect(after.network.etag).not.toBe(network.etag);
});

test("validate_only writes nothing; a repeated request id does it once", async () => {
  const { ctx, call, read } = await rig();
  const tried = await createNetwork(ctx, call({ validateOnly: true }), networkWish());
  expect(tried.network.name).toBeTruthy();
  const id = "11111111-1111-1111-1111-111111111111";
  await createNetwork(ctx, call({ requestId: id }), networkWish());
  expect(await createNetwork(ctx, call({ requestId: id }), networkWish())).toBe("the first answer");
  const reused = createNetwork(ctx, call({ requestId: id, requestHash: "x" }), networkWish());
  expect((await refusal(reused)).reason).toBe("REQUEST_ID_REUSED");
  expect((await listNetworks(ctx, read(), { filter: {}, limit: 10 })).total).toBe(1);
});

test("subnets by count take the first free aligned block", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { networkId, subnetId } = await made.network();
  const subnet = (range: Parameters<typeof createSubnet>[2]["range"]) =>
    createSubnet(ctx, call(), { clusterNetworkId: networkId, name: "", range, rail: undefined });
  const first = await getSubnet(ctx, read(), { clusterNetworkId: networkId, id: subnetId });
  expect(formatCidr(first.cidr)).toBe("10.0.0.0/24");
  expect(first.availableCount).toBe(251);
  expect(formatCidr((await subnet({ kind: "block", cidr: "10.0.2.0/24" })).cidr)).toBe(
    "10.0.2.0/24",
  );
  expect(formatCidr((await subnet({ kind: "count", count: 512 })).cidr)).toBe("10.0.4.0/23");
  expect(formatCidr((await subnet({ kind: "count", count: 8 })).cidr)).toBe("10.0.1.0/29");
  const tooMany = await refusal(subnet({ kind: "count", count: 2 ** 24 }));
  expect(tooMany).toMatchObject({ code: "exhausted", reason: "SUBNET_RANGE_EXHAUSTED" });
  expect((await refusal(subnet(undefined))).code).toBe("invalid");
});

test("the provider's five addresses are reserved IPs that nobody can touch", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  const query = { clusterNetworkId, filter: { subnetId }, limit: 10, order: "name" } as const;
  const page = await listReservedIps(ctx, read(), query);
  expect(page.rows.map(({ reservedIp: r }) => [r.name, formatIpv4(r.address), r.owner])).toEqual([
    ["ibm-broadcast-address", "10.0.0.255", "provider"],
    ["ibm-default-gateway", "10.0.0.1", "provider"],
    ["ibm-dns-address", "10.0.0.2", "provider"],
    ["ibm-network-address", "10.0.0.0", "provider"],
    ["ibm-reserved-address", "10.0.0.3", "provider"],
  ]);
  const id = page.rows[0]?.reservedIp.id as never;
  const path = { clusterNetworkId, subnetId, id, etag: "" };
  expect((await refusal(deleteReservedIp(ctx, call(), path))).reason).toBe(
    "RESERVED_IP_PROVIDER_OWNED",
  );
});

test("reserved IPs: lowest free or the one asked for, taken and outside ones refused", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  const reserve = (address: string) =>
    createReservedIp(ctx, call(), { clusterNetworkId, subnetId, address, name: "" });
  const first = await reserve("");
  expect(formatIpv4(first.reservedIp.address)).toBe("10.0.0.4");
  const taken = await refusal(reserve("10.0.0.4"));
  expect(taken).toMatchObject({ code: "exists", reason: "ADDRESS_TAKEN" });
  expect(taken.parts.resource?.id).toBe(first.reservedIp.id);
  expect((await refusal(reserve("10.0.1.4"))).reason).toBe("ADDRESS_OUTSIDE_SUBNET");
  const path = { clusterNetworkId, subnetId, id: first.reservedIp.id, etag: "" };
  const update = { ...path, mask: ["auto_delete"], name: "", autoDelete: true };
  expect((await refusal(updateReservedIp(ctx, call(), update))).reason).toBe("AUTO_DELETE_UNBOUND");
  await deleteReservedIp(ctx, call(), path);
  expect((await refusal(getReservedIp(ctx, read(), path))).code).toBe("notFound");
  expect(formatIpv4((await reserve("")).reservedIp.address)).toBe("10.0.0.4");
});

async function oneInterface(made: Rig, over: object = {}) {
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  const base = {
    clusterNetworkId,
    subnetId,
    primaryIp: newIp,
    name: "nic",
    allowIpSpoofing: false,
  };
  const view = await createInterface(made.ctx, made.call(), { ...base, ...over });
  return { clusterNetworkId, subnetId, view, wish: base };
}

test("an interface holds its subnet and its address until it is deleted", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { clusterNetworkId, subnetId, view } = await oneInterface(made);
  const ipPath = { clusterNetworkId, subnetId, id: view.primaryIp.id, etag: "" };
  const held = await refusal(deleteReservedIp(ctx, call(), ipPath));
  expect(held.reason).toBe("RESERVED_IP_IN_USE_INTERFACE_EXISTS");
  expect(held.parts.holders).toEqual([{ type: "cluster_network_interface", id: view.row.id }]);
  const subnet = { clusterNetworkId, id: subnetId, etag: "" };
  const inUse = await refusal(deleteSubnet(ctx, call(), subnet));
  expect(inUse.reason).toBe("SUBNET_IN_USE_INTERFACE_EXISTS");
  await deleteInterface(ctx, call(), { clusterNetworkId, id: view.row.id, etag: "" });
  expect((await refusal(getReservedIp(ctx, read(), ipPath))).code).toBe("notFound");
  expect((await getSubnet(ctx, read(), subnet)).availableCount).toBe(251);
  await made.write(async (tx) => {
    const { macs } = tx.account(view.row.account);
    const { mac } = view.row;
    expect(await macs.taken([clusterNetworkId], [mac])).toEqual(new Set([mac]));
  });
  await deleteSubnet(ctx, call(), subnet);
  expect((await refusal(getSubnet(ctx, read(), subnet))).code).toBe("notFound");
});

test("an interface on an existing reserved IP leaves it behind, unbound", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  const wish = { clusterNetworkId, subnetId, address: "10.0.0.77", name: "mine" };
  const { reservedIp } = await createReservedIp(ctx, call(), wish);
  const primaryIp = { kind: "existing", id: reservedIp.id } as const;
  const input = {
    clusterNetworkId,
    subnetId: undefined,
    primaryIp,
    name: "",
    allowIpSpoofing: false,
  };
  const view = await createInterface(ctx, call(), input);
  expect(view.primaryIp).toMatchObject({ id: reservedIp.id, targetId: view.row.id });
  expect((await refusal(createInterface(ctx, call(), input))).reason).toBe(
    "RESERVED_IP_ALREADY_BOUND",
  );
  await deleteInterface(ctx, call(), { clusterNetworkId, id: view.row.id, etag: "" });
  const path = { clusterNetworkId, subnetId, id: reservedIp.id };
  expect((await getReservedIp(ctx, read(), path)).reservedIp.targetId).toBeUndefined();
});

test("an interface without subnet or with a taken name is refused", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { clusterNetworkId, view, wish } = await oneInterface(made);
  const bad = await refusal(createInterface(ctx, call(), { ...wish, subnetId: undefined }));
  expect(fieldsOf(bad)).toEqual(["subnet_id", "name"]);
  expect((await refusal(createInterface(ctx, call(), wish))).reason).toBe("NAME_TAKEN");
  const change = { name: "", autoDelete: true, allowIpSpoofing: true, etag: "" };
  const update = { clusterNetworkId, id: view.row.id, ...change };
  const kept = updateInterface(ctx, call(), { ...update, mask: ["auto_delete"] });
  expect((await refusal(kept)).reason).toBe("AUTO_DELETE_UNBOUND");
  const after = await updateInterface(ctx, call(), { ...update, mask: ["allow_ip_spoofing"] });
  expect(after.row).toMatchObject({ allowIpSpoofing: true, name: "nic" });
  const page = await listInterfaces(ctx, read(), { filter: { clusterNetworkId }, limit: 5 });
  expect(page.total).toBe(1);
});

test("a network with subnets goes only with cascade, and its isolation id rests", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { clusterNetworkId: id } = await oneInterface(made);
  const held = await refusal(deleteNetwork(ctx, call(), { id, etag: "", cascade: false }));
  expect(held.reason).toBe("CLUSTER_NETWORK_IN_USE_SUBNET_EXISTS");
  expect(held.parts.holders).toHaveLength(1);
  const gone = await deleteNetwork(ctx, call(), { id, etag: "", cascade: true });
  expect(gone.network.lifecycleState).toBe("deleting");
  expect((await refusal(getNetwork(ctx, read(), id))).code).toBe("notFound");
  const next = await createNetwork(ctx, call(), networkWish());
  expect(next.network.isolation.id).toBe(101);
  await made.write((tx) => tx.expire(made.clock.now() + QUARANTINE_MS));
  const after = await createNetwork(ctx, call(), networkWish());
  expect(after.network.isolation.id).toBe(100);
  const subnets = listSubnets(ctx, read(), { filter: { clusterNetworkId: id }, limit: 5 });
  expect((await refusal(subnets)).code).toBe("notFound");
});
