// Bad input: a typed error that names every bad field at once, and nothing half-written behind it.

import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  ClusterNetworkServiceService,
  CreateClusterNetworkRequest,
  ListClusterNetworksRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import {
  ClusterNetworkInterfaceServiceService,
  ListClusterNetworkInterfacesRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import {
  ClusterNetworkSubnetServiceService,
  CreateClusterNetworkSubnetRequest,
  ListClusterNetworkSubnetsRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import {
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Customer, instanceRequest } from "./customer.js";
import { exampleMzone, Yard } from "./yard.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

const { createClusterNetwork } = ClusterNetworkServiceService;
const { createClusterNetworkSubnet } = ClusterNetworkSubnetServiceService;
const { createInstance } = InstanceServiceService;

let yard: Yard;
let customer: Customer;
let network: string;
let subnet: string;

beforeAll(async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  customer = new Customer(await yard.tenant("acme"));
  network = (await customer.network({ name: "train" })).id;
  subnet = (await customer.subnet(network, { name: "first" })).id;
});
afterAll(() => yard.close());

/** How many objects of each kind the account has, and the store's newest revision. */
async function written() {
  const { wire } = customer;
  const list = { pageSize: 1 };
  const ofNetwork = { ...list, clusterNetworkId: network };
  const interfaces = ClusterNetworkInterfaceServiceService.listClusterNetworkInterfaces;
  const subnets = ClusterNetworkSubnetServiceService.listClusterNetworkSubnets;
  const networks = ClusterNetworkServiceService.listClusterNetworks;
  const { listInstances } = InstanceServiceService;
  return [
    await wire.call(networks, ListClusterNetworksRequest.fromPartial(list)),
    await wire.call(subnets, ListClusterNetworkSubnetsRequest.fromPartial(ofNetwork)),
    await wire.call(interfaces, ListClusterNetworkInterfacesRequest.fromPartial(ofNetwork)),
    await wire.call(listInstances, ListInstancesRequest.fromPartial(list)),
    { totalSize: await yard.controller.context.store.revision() },
  ].map(({ totalSize }) => totalSize);
}

test("three bad fields are named at once and nothing is written", async () => {
  const before = await written();
  const refused = await customer.wire.refused(
    createInstance,
    instanceRequest("one", Array(5).fill(subnet), {
      profile: "gx3d-unknown",
      zone: "us-west-9",
      imageId: "img-unknown",
    }),
  );
  expect(refused.fields).toEqual(
    expect.arrayContaining(["template.image_id", "template.profile", "template.zone"]),
  );
  expect(await written()).toEqual(before);
});

test("missing required fields are all named", async () => {
  const refused = await customer.wire.refused(
    createClusterNetwork,
    CreateClusterNetworkRequest.fromPartial({}),
  );
  expect(refused.code).toBe(INVALID_ARGUMENT);
  expect(refused.fields).toEqual(["profile", "vpc_id", "zone"]);
});

test("a missing field, an unknown profile and a bad block are named together", async () => {
  const refused = await customer.wire.refused(
    createClusterNetwork,
    CreateClusterNetworkRequest.fromPartial({
      ...{ profile: "nope", zone: "us-east-3", name: "Bad_Name" },
      subnetPrefixes: [{ cidr: "127.0.0.0/8" }],
    }),
  );
  expect(refused.code).toBe(INVALID_ARGUMENT);
  expect(refused.fields.sort()).toEqual(["name", "profile", "subnet_prefixes[0].cidr", "vpc_id"]);
});

test("an attachment count that is not permitted is refused with the permitted ones", async () => {
  const before = await written();
  const request = instanceRequest("five", Array(5).fill(subnet));
  const refused = await customer.wire.refused(createInstance, request);
  expect(refused.code).toBe(INVALID_ARGUMENT);
  expect(refused.fields).toEqual(["template.cluster_network_attachments"]);
  expect(refused.message).toMatch(/8.*16.*32/);
  expect(await written()).toEqual(before);
});

test.each(["10.0.0.1/24", "10.0.0.0/30", "192.168.0.0/24", "banana", "10.0.0.0/7"])(
  "the subnet block %s is refused by field",
  async (value) => {
    const before = await written();
    const range = { $case: "ipv4CidrBlock" as const, value };
    const request = CreateClusterNetworkSubnetRequest.fromPartial({
      clusterNetworkId: network,
      range,
    });
    const refused = await customer.wire.refused(createClusterNetworkSubnet, request);
    expect(refused.code).toBe(INVALID_ARGUMENT);
    expect(refused.fields).toEqual(["ipv4_cidr_block"]);
    expect(await written()).toEqual(before);
  },
);

test("a name that is taken is refused by field", async () => {
  const before = await written();
  const request = CreateClusterNetworkRequest.fromPartial({
    name: "train",
    profile: "hopper-1",
    vpcId: "vpc-research",
    zone: "us-east-3",
  });
  const refused = await customer.wire.refused(createClusterNetwork, request);
  expect([refused.code, refused.reason]).toEqual([ALREADY_EXISTS, "NAME_TAKEN"]);
  expect(refused.fields).toEqual(["name"]);
  expect(await written()).toEqual(before);
});

test("a zone without the profile and an unknown profile are refused by field", async () => {
  const request = (change: Partial<CreateClusterNetworkRequest>) =>
    CreateClusterNetworkRequest.fromPartial({
      profile: "hopper-1",
      vpcId: "vpc-research",
      zone: "us-east-3",
      ...change,
    });
  const zone = await customer.wire.refused(createClusterNetwork, request({ zone: "us-west-9" }));
  expect(zone.fields).toEqual(["zone"]);
  const profile = await customer.wire.refused(createClusterNetwork, request({ profile: "nope" }));
  expect(profile.fields).toEqual(["profile"]);
});

test("another account's network answers exactly like a missing one", async () => {
  const stranger = new Customer(await yard.tenant("globex"));
  const { getClusterNetwork } = ClusterNetworkServiceService;
  const foreign = await stranger.wire.refused(getClusterNetwork, { id: network });
  const missing = await stranger.wire.refused(getClusterNetwork, { id: "cn-missing" });
  expect(foreign.code).toBe(NOT_FOUND);
  expect(foreign.message.replace(network, "ID")).toBe(missing.message.replace("cn-missing", "ID"));
  expect(foreign.reason).toBe(missing.reason);
});

test("a wrong mzone document is refused with every bad path and changes nothing", async () => {
  const before = await written();
  const document = exampleMzone();
  const [zone] = document.zones;
  const [first, second, third] = zone?.servers ?? [];
  if (!first || !second || !third) throw new Error("the example lacks servers");
  document.metadata.generation = 2;
  first.cluster = "nowhere";
  second.serial = third.serial;
  third.hardware = "abacus";
  const refused = await yard.operator.refused(MzoneServiceService.applyMzone, {
    source: { $case: "documentJson", value: Buffer.from(JSON.stringify(document)) },
    requestId: "",
    validateOnly: false,
    allowDisruption: false,
  });
  expect(refused.code).toBe(INVALID_ARGUMENT);
  expect(refused.fields).toEqual(
    expect.arrayContaining(["zones[0].servers[0].cluster", "zones[0].servers[2].hardware"]),
  );
  expect(refused.fields.some((f) => /servers\[[12]\]\.serial/.test(f))).toBe(true);
  expect(await written()).toEqual(before);
});

test("applying the same document twice changes nothing, and is in the audit log", async () => {
  const [revision = 0n, ...before] = (await written()).reverse();
  const again = await yard.applyMzone();
  expect(again.changes).toEqual([]);
  expect((await written()).reverse()).toEqual([revision + 1n, ...before]);
});

test("without a token and with a wrong one nothing is answered", async () => {
  for (const token of [undefined, "ry_wrong"]) {
    const wire = yard.wire(yard.controller.ports.tenant, token);
    const refused = await wire.refused(ClusterNetworkServiceService.getClusterNetwork, {
      id: network,
    });
    expect([refused.code, refused.reason]).toEqual([16, "UNAUTHENTICATED"]);
  }
});
