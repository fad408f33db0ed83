// What the contract says about the size of pages, and about filters that are wrong or newer than
// this server.
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import type { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const PROVIDERS = 5;
const { createClusterNetworkSubnetReservedIp, listClusterNetworkSubnetReservedIps } =
  ips.ClusterNetworkSubnetReservedIpServiceService;
const { listClusterNetworkInterfaces } = nics.ClusterNetworkInterfaceServiceService;
const { createInstance, listInstances } = calls.InstanceServiceService;

let at: Target;
let tenant: Tenant;
beforeAll(async () => {
  at = await target();
});
beforeEach(async () => {
  tenant = await at.tenant();
});
afterAll(() => at.close());

test("a page has fifty rows unless more are asked for, and never above a hundred", async () => {
  const { id: clusterNetworkId } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(clusterNetworkId);
  const where = { clusterNetworkId, subnetId };
  const one = ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial(where);
  const count = 101 - PROVIDERS;
  await Promise.all(
    Array.from({ length: count }, () =>
      tenant.wire.call(createClusterNetworkSubnetReservedIp, one),
    ),
  );
  const sizes: number[] = [];
  for (const pageSize of [0, 1, 100, 101, 2_000_000_000]) {
    const request = ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial({
      ...{ ...where, pageSize },
    });
    const page = await tenant.wire.call(listClusterNetworkSubnetReservedIps, request);
    expect(page.totalSize).toBe(101n);
    sizes.push(page.clusterNetworkSubnetReservedIps.length);
  }
  expect(sizes).toEqual([50, 1, 100, 100, 100]);
});

test("a page token is good for its account, call and order only, and for any size", async () => {
  for (const name of ["one", "two", "three"]) await tenant.network({ name });
  const list = (over: object) => nets.ListClusterNetworksRequest.fromPartial(over);
  const { listClusterNetworks } = nets.ClusterNetworkServiceService;
  const first = await tenant.wire.call(listClusterNetworks, list({ pageSize: 1, orderBy: "name" }));
  const { nextPageToken: pageToken } = first;
  const same = { pageToken, orderBy: "name" };
  const rest = await tenant.wire.call(listClusterNetworks, list({ ...same, pageSize: 9 }));
  expect(rest.clusterNetworks.map(({ name }) => name)).toEqual(["three", "two"]);
  const stranger = await at.tenant();
  const instances = calls.ListInstancesRequest.fromPartial({ pageToken });
  for (const refused of [
    await stranger.wire.refused(listClusterNetworks, list(same)),
    await tenant.wire.refused(listClusterNetworks, list({ pageToken })),
    await tenant.wire.refused(listClusterNetworks, list({ pageToken, orderBy: "name desc" })),
    await tenant.wire.refused(listClusterNetworks, list({ ...same, vpcId: "vpc-research" })),
    await tenant.wire.refused(listInstances, instances),
  ]) {
    expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"]);
  }
});

test("what was made later comes first, and what was made together comes by name", async () => {
  const { id: clusterNetworkId } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(clusterNetworkId);
  await tenant.interface(clusterNetworkId, subnetId, "zz-first");
  await tenant.instance("one", Array(8).fill(subnetId));
  const request = nics.ListClusterNetworkInterfacesRequest.fromPartial({ clusterNetworkId });
  const page = await tenant.wire.call(listClusterNetworkInterfaces, request);
  const rows = page.clusterNetworkInterfaces;
  expect(rows).toHaveLength(9);
  expect(rows.at(-1)?.name).toBe("zz-first");
  const together = rows.slice(0, -1).map(({ name }) => name);
  expect(together).toEqual([...together].sort());
  const times = rows.map(({ createdAt }) => createdAt?.getTime() ?? 0);
  expect(times).toEqual([...times].sort((a, b) => b - a));
});

test("a malformed filter, a bad size, order and token of a list are all named", async () => {
  const { id: clusterNetworkId } = await tenant.network();
  const request = nics.ListClusterNetworkInterfacesRequest.fromPartial({
    ...{ clusterNetworkId, targetId: "A B", subnetId: "A/B", pageSize: -1, pageToken: "x" },
  });
  const refused = await tenant.wire.refused(listClusterNetworkInterfaces, request);
  expect([refused.code, refused.fields]).toEqual([
    INVALID_ARGUMENT,
    ["page_size", "page_token", "subnet_id", "target_id"],
  ]);
});

test("a malformed attachment of an instance does not hide what else is wrong with it", async () => {
  const request = instanceRequest("one", [], {
    ...{ profile: "nothing", imageId: "img-nothing" },
    clusterNetworkAttachments: [
      { name: "a", interface: { $case: "interfaceId", value: "A B" } },
      {
        name: "b",
        interface: {
          $case: "newInterface",
          value: {
            ...{ name: "", subnetId: "A/B", primaryIp: undefined, allowIpSpoofing: false },
          },
        },
      },
    ],
  });
  const refused = await tenant.wire.refused(createInstance, request);
  const path = "template.cluster_network_attachments";
  expect([refused.code, refused.fields]).toEqual([
    INVALID_ARGUMENT,
    [
      ...[`${path}[0].interface_id`, `${path}[1].new_interface.subnet_id`],
      ...["template.image_id", "template.profile"],
    ],
  ]);
});

test("a status that only a newer client knows matches no instance", async () => {
  const status = 99 as InstanceStatus;
  const request = calls.ListInstancesRequest.fromPartial({ status });
  const { instances, totalSize } = await tenant.wire.call(listInstances, request);
  expect([instances, totalSize]).toEqual([[], 0n]);
});
