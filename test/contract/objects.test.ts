// What the contract says about every object, whatever its noun: its head, references to it, and
// what stands in the way of its deletion.
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import type { WireError } from "../wire.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const FAILED_PRECONDITION = 9;
const COUNT = 8;

let at: Target;
let tenant: Tenant;
let networkId: string;
let subnetId: string;
let instanceId: string;
let attachment: links.InstanceClusterNetworkAttachment;
let nic: nics.ClusterNetworkInterface;
beforeAll(async () => {
  at = await target();
  tenant = await at.tenant();
  networkId = (await tenant.network({ name: "net" })).id;
  subnetId = (await tenant.subnet(networkId, { name: "sub" })).id;
  instanceId = (await tenant.instance("one", Array(COUNT).fill(subnetId))).id;
  const { INSTANCE_STATUS_RUNNING, INSTANCE_STATUS_FAILED } = InstanceStatus;
  await tenant.status(instanceId, INSTANCE_STATUS_RUNNING, INSTANCE_STATUS_FAILED);
  const { listInstanceClusterNetworkAttachments } =
    links.InstanceClusterNetworkAttachmentServiceService;
  const request = links.ListInstanceClusterNetworkAttachmentsRequest.fromPartial({ instanceId });
  const all = await tenant.wire.call(listInstanceClusterNetworkAttachments, request);
  attachment = all.instanceClusterNetworkAttachments[0]!;
  const { getClusterNetworkInterface } = nics.ClusterNetworkInterfaceServiceService;
  const path = { clusterNetworkId: networkId, id: attachment.interface!.id };
  nic = (await tenant.wire.call(getClusterNetworkInterface, path)).clusterNetworkInterface!;
});
afterAll(() => at.close());

const ipPath = () => ({ clusterNetworkId: networkId, subnetId, id: nic.primaryIp!.id });

async function everyObject() {
  const { wire } = tenant;
  const below = { clusterNetworkId: networkId };
  const { getClusterNetwork } = nets.ClusterNetworkServiceService;
  const { getClusterNetworkSubnet } = subnets.ClusterNetworkSubnetServiceService;
  const { getClusterNetworkSubnetReservedIp } = ips.ClusterNetworkSubnetReservedIpServiceService;
  const reservedIp = await wire.call(getClusterNetworkSubnetReservedIp, ipPath());
  const subnet = await wire.call(getClusterNetworkSubnet, { ...below, id: subnetId });
  return {
    cluster_network: (await wire.call(getClusterNetwork, { id: networkId })).clusterNetwork!,
    cluster_network_subnet: subnet.clusterNetworkSubnet!,
    cluster_network_subnet_reserved_ip: reservedIp.clusterNetworkSubnetReservedIp!,
    cluster_network_interface: nic,
    instance: (await tenant.get(instanceId))!,
    instance_cluster_network_attachment: attachment,
  };
}

test("every object has an id, a time of creation, an etag, its type and a state", async () => {
  for (const [type, object] of Object.entries(await everyObject())) {
    expect(object.id, type).toMatch(/^[-0-9a-z_]{1,64}$/);
    expect(object.etag, type).not.toBe("");
    expect(object.createdAt?.getTime(), type).toBeGreaterThan(Date.UTC(2020));
    expect([object.resourceType, object.lifecycleState], type).toEqual([
      ...[type, LifecycleState.LIFECYCLE_STATE_STABLE],
    ]);
  }
});

test("a reference says id, name and type of what is there", async () => {
  const all = await everyObject();
  const referenceTo = (type: keyof typeof all) => {
    const { id, name } = all[type];
    return { id, name, resourceType: type, deleted: false };
  };
  const instance = all.instance;
  expect(attachment.interface).toMatchObject(referenceTo("cluster_network_interface"));
  expect(attachment.interface?.subnet).toEqual(referenceTo("cluster_network_subnet"));
  expect(nic.target).toEqual(referenceTo("instance_cluster_network_attachment"));
  expect(nic.primaryIp).toMatchObject(referenceTo("cluster_network_subnet_reserved_ip"));
  expect(all.cluster_network_subnet_reserved_ip.target).toEqual(
    referenceTo("cluster_network_interface"),
  );
  expect(instance.clusterNetwork).toEqual(referenceTo("cluster_network"));
  const [first] = instance.clusterNetworkAttachments;
  expect(first).toEqual(referenceTo("instance_cluster_network_attachment"));
});

interface Refusal {
  readonly by: () => Promise<WireError>;
  readonly holder: () => string;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  CLUSTER_NETWORK_IN_USE_INSTANCE_EXISTS: {
    by: () => {
      const request = { id: networkId, cascade: true, etag: "", validateOnly: false };
      return tenant.wire.refused(nets.ClusterNetworkServiceService.deleteClusterNetwork, request);
    },
    holder: () => instanceId,
  },
  SUBNET_IN_USE_INTERFACE_EXISTS: {
    by: () => {
      const { deleteClusterNetworkSubnet } = subnets.ClusterNetworkSubnetServiceService;
      const request = { clusterNetworkId: networkId, id: subnetId, etag: "", validateOnly: false };
      return tenant.wire.refused(deleteClusterNetworkSubnet, request);
    },
    holder: () => "",
  },
  RESERVED_IP_IN_USE_INTERFACE_EXISTS: {
    by: () => {
      const { deleteClusterNetworkSubnetReservedIp } =
        ips.ClusterNetworkSubnetReservedIpServiceService;
      const request = { ...ipPath(), etag: "", validateOnly: false };
      return tenant.wire.refused(deleteClusterNetworkSubnetReservedIp, request);
    },
    holder: () => nic.id,
  },
  INTERFACE_IN_USE_ATTACHMENT_EXISTS: {
    by: () => {
      const { deleteClusterNetworkInterface } = nics.ClusterNetworkInterfaceServiceService;
      const request = { clusterNetworkId: networkId, id: nic.id, etag: "", validateOnly: false };
      return tenant.wire.refused(deleteClusterNetworkInterface, request);
    },
    holder: () => attachment.id,
  },
};

test.each(Object.entries(REFUSALS))("%s names what is used and its holders", async (reason, it) => {
  const refused = await it.by();
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, reason]);
  const { resource, holders } = refused.details;
  expect([resource?.resourceType, resource?.resourceName]).not.toContain("");
  const subjects = holders?.violations.map(({ subject }) => subject).join() ?? "";
  expect(subjects).not.toBe("");
  expect(subjects).toContain(it.holder());
});

test("what is not found is named with its type", async () => {
  const { getClusterNetwork } = nets.ClusterNetworkServiceService;
  const { details } = await tenant.wire.refused(getClusterNetwork, { id: "cn-nothing" });
  expect(details.resource).toMatchObject({
    ...{ resourceType: "cluster_network", resourceName: "cn-nothing" },
  });
});

test("an interface is bound to one target at most", async () => {
  const clusterNetworkAttachments = Array.from({ length: COUNT }, (_, i) => ({
    name: `a-${i}`,
    interface: { $case: "interfaceId" as const, value: nic.id },
  }));
  const request = instanceRequest("two", [], { clusterNetworkAttachments });
  const { createInstance } = calls.InstanceServiceService;
  const refused = await tenant.wire.refused(createInstance, request);
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "INTERFACE_ALREADY_BOUND"]);
  expect(refused.details.holders?.violations[0]?.subject).toContain(attachment.id);
});

test("an attached interface's auto_delete can be set, and its target is listed", async () => {
  const { updateClusterNetworkInterface, listClusterNetworkInterfaces } =
    nics.ClusterNetworkInterfaceServiceService;
  const request = nics.UpdateClusterNetworkInterfaceRequest.fromPartial({
    ...{ clusterNetworkId: networkId, id: nic.id },
    ...{ clusterNetworkInterface: { autoDelete: false }, updateMask: ["auto_delete"] },
  });
  expect(nic.autoDelete).toBe(true);
  const changed = await tenant.wire.call(updateClusterNetworkInterface, request);
  expect(changed.clusterNetworkInterface?.autoDelete).toBe(false);
  const list = nics.ListClusterNetworkInterfacesRequest.fromPartial({
    ...{ clusterNetworkId: networkId, targetId: attachment.id },
  });
  const { clusterNetworkInterfaces } = await tenant.wire.call(listClusterNetworkInterfaces, list);
  expect(clusterNetworkInterfaces.map(({ id }) => id)).toEqual([nic.id]);
});

test("a network of another VPC than the instance's is refused", async () => {
  const { id } = await tenant.network({ vpcId: "vpc-serving" });
  const { id: other } = await tenant.subnet(id);
  const request = instanceRequest("two", Array(COUNT).fill(other));
  const { createInstance } = calls.InstanceServiceService;
  const refused = await tenant.wire.refused(createInstance, request);
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "ATTACHMENT_VPC_MISMATCH"]);
});
