// No physical name ever reaches a tenant: every name of the example document is a canary, and every
// byte that a tenant's token received in a long walk, errors and reasons included, is searched for
// them.
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  ListPhysicalClustersRequest,
  PhysicalClusterServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import {
  ClusterNetworkServiceService,
  ListClusterNetworksRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import {
  ClusterNetworkProfileServiceService,
  ListClusterNetworkProfilesRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import {
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import {
  InstanceClusterNetworkAttachmentServiceService,
  ListInstanceClusterNetworkAttachmentsRequest,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import {
  InstanceProfileServiceService,
  ListInstanceProfilesRequest,
} from "@railyard/proto/gen/railyard/v1/instance_profile";
import {
  WatchObjectsRequest,
  type WatchObjectsResponse,
  WatchOperation,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { afterEach, expect, test } from "vitest";
import { Customer, instanceRequest } from "./customer.js";
import { until } from "./until.js";
import { exampleMzone, Yard } from "./yard.js";

const NODE = "wdc07-a-r01-s01";

let yard: Yard;
afterEach(() => yard.close());

/** Every name, id and address that only operators may see. */
async function canaries(instanceId: string): Promise<Set<string>> {
  const words = new Set<string>();
  for (const zone of exampleMzone().zones) {
    for (const cluster of zone.physicalClusters) {
      words.add(cluster.name);
      for (const group of cluster.leafGroups) {
        for (const rail of group.rails) for (const leaf of rail.leaves) words.add(leaf);
      }
    }
    for (const server of zone.servers) {
      for (const word of [server.name, server.serial, server.hardware]) words.add(word);
    }
  }
  for (const type of ["hopper-roce", "hopper-roce-h200"]) words.add(type);
  const clusters = await yard.operator.call(
    PhysicalClusterServiceService.listPhysicalClusters,
    ListPhysicalClustersRequest.fromPartial({}),
  );
  for (const cluster of clusters.physicalClusters) words.add(cluster.id);
  const node = await yard.node(NODE);
  for (const word of [node?.id, node?.session, node?.bootId]) if (word) words.add(word);
  const { rows } = await yard.operator.call(NodeServiceService.getPlacedLayout, {
    subject: { $case: "instanceId", value: instanceId },
  });
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) {
    for (const word of [row.gpuDeviceId, row.nicDeviceId, row.pfName, row.vfPciAddress]) {
      expect(word).not.toBe("");
      words.add(word);
    }
  }
  return words;
}

/** Walks every reading and refusing path that a tenant has in this flow. */
async function walk(customer: Customer): Promise<string> {
  const { wire } = customer;
  await wire.call(
    ClusterNetworkProfileServiceService.listClusterNetworkProfiles,
    ListClusterNetworkProfilesRequest.fromPartial({ zone: "us-east-3" }),
  );
  await wire.call(
    InstanceProfileServiceService.listInstanceProfiles,
    ListInstanceProfilesRequest.fromPartial({}),
  );
  const network = await customer.network({ name: "train" });
  const subnet = await customer.subnet(network.id);
  await customer.interface(network.id, subnet.id, "eth");
  const eight = Array.from({ length: 8 }, () => subnet.id);
  const one = await customer.instance("one", eight);
  await customer.running(one.id);
  await customer.layout(one.id);
  await customer.instance("no-room", eight);
  await customer.instance("no-h200", [], { profile: "gx3d-160x1792x8h200" });
  await wire.call(
    InstanceClusterNetworkAttachmentServiceService.listInstanceClusterNetworkAttachments,
    ListInstanceClusterNetworkAttachmentsRequest.fromPartial({ instanceId: one.id }),
  );
  await wire.call(InstanceServiceService.listInstances, ListInstancesRequest.fromPartial({}));
  await wire.call(
    ClusterNetworkServiceService.listClusterNetworks,
    ListClusterNetworksRequest.fromPartial({}),
  );
  await refusals(customer, { network: network.id, subnet: subnet.id });
  return one.id;
}

async function refusals(
  { wire }: Customer,
  ids: { readonly network: string; readonly subnet: string },
): Promise<void> {
  const { createInstance } = InstanceServiceService;
  await wire.refused(createInstance, instanceRequest("one", [ids.subnet]));
  await wire.refused(createInstance, instanceRequest("x", ["nothing"], { zone: "wrong" }));
  await wire.refused(ClusterNetworkServiceService.deleteClusterNetwork, {
    id: ids.network,
    etag: "",
    cascade: true,
    validateOnly: false,
  });
  await wire.refused(NodeServiceService.getNode, { node: NODE } as never);
}

/** Whether a message says that the object is deleted. */
function isGone(id: string) {
  return ({ message }: WatchObjectsResponse) =>
    message?.$case === "event" &&
    message.value.operation === WatchOperation.WATCH_OPERATION_DELETED &&
    message.value.object?.value.id === id;
}

test("no physical name, id or address is in any byte that a tenant receives", async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const customer = new Customer(await yard.tenant("acme"));
  const watching = customer.wire.stream(
    WatchServiceService.watchObjects,
    WatchObjectsRequest.fromPartial({ fromRevision: 0n }),
  );
  const instanceId = await walk(customer);
  const words = await canaries(instanceId);
  await customer.delete(instanceId);
  await customer.gone(instanceId);
  await until("the watcher saw it go", () => watching.messages.some(isGone(instanceId)));
  watching.call.cancel();

  const bytes = Buffer.concat(customer.wire.received).toString("latin1");
  expect(bytes).toContain("train");
  expect(words.size).toBeGreaterThanOrEqual(100);
  const leaked = [...words].filter((word) => bytes.includes(word));
  expect(leaked).toEqual([]);
});
