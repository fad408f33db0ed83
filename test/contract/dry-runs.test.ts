// What the contract says about validate_only: every mutation takes it, answers as if done, and
// writes nothing.
import {
  AuditServiceService,
  ListAuditRecordsRequest,
} from "@railyard/proto/gen/railyard/admin/v1/audit";
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instanceRequest, ZONE } from "../customer.js";
import { A, I, N, R, S, V } from "./services.js";
import { type Target, type Tenant, target } from "./target.js";

const COUNT = 8;

let at: Target;
let tenant: Tenant;
let clusterNetworkId: string;
let subnetId: string;
let ipId: string;
let nicId: string;
let instanceId: string;
let linkId: string;
let spareNetworkId: string;
let spareSubnetId: string;
beforeAll(async () => {
  at = await target({ machines: true });
  tenant = await at.tenant();
  clusterNetworkId = (await tenant.network()).id;
  subnetId = (await tenant.subnet(clusterNetworkId)).id;
  nicId = (await tenant.interface(clusterNetworkId, subnetId)).id;
  const wanted = ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial({
    ...{ clusterNetworkId, subnetId },
  });
  const ip = await tenant.wire.call(R.createClusterNetworkSubnetReservedIp, wanted);
  ipId = ip.clusterNetworkSubnetReservedIp!.id;
  instanceId = (await tenant.instance("one", Array(COUNT).fill(subnetId))).id;
  await tenant.running(instanceId);
  await tenant.wire.call(V.stopInstance, calls.StopInstanceRequest.fromPartial({ id: instanceId }));
  const stopped = await tenant.status(instanceId, InstanceStatus.INSTANCE_STATUS_STOPPED);
  linkId = stopped.clusterNetworkAttachments[0]!.id;
  spareNetworkId = (await tenant.network()).id;
  spareSubnetId = (await tenant.subnet(clusterNetworkId)).id;
});
afterAll(() => at.close());

const OTHER = { name: "other" };
const MASK = { updateMask: ["name"] };
const range = { $case: "totalIpv4AddressCount" as const, value: 8n };
const fresh = () => ({ interface: { $case: "newInterface" as const, value: { subnetId } } });

/** A sound call of every mutation that a stopped instance and what is around it allow. */
const DRY: Readonly<Record<string, () => Promise<unknown>>> = {
  createClusterNetwork: () =>
    tenant.wire.call(
      N.createClusterNetwork,
      nets.CreateClusterNetworkRequest.fromPartial({
        ...{ profile: "hopper-1", vpcId: "vpc-research", zone: ZONE },
        validateOnly: true,
      }),
    ),
  updateClusterNetwork: () =>
    tenant.wire.call(
      N.updateClusterNetwork,
      nets.UpdateClusterNetworkRequest.fromPartial({
        ...{ id: clusterNetworkId, ...MASK, clusterNetwork: OTHER },
        validateOnly: true,
      }),
    ),
  deleteClusterNetwork: () =>
    tenant.wire.call(
      N.deleteClusterNetwork,
      nets.DeleteClusterNetworkRequest.fromPartial({
        ...{ id: spareNetworkId },
        validateOnly: true,
      }),
    ),
  createClusterNetworkSubnet: () =>
    tenant.wire.call(
      S.createClusterNetworkSubnet,
      subnets.CreateClusterNetworkSubnetRequest.fromPartial({
        ...{ clusterNetworkId, range },
        validateOnly: true,
      }),
    ),
  updateClusterNetworkSubnet: () =>
    tenant.wire.call(
      S.updateClusterNetworkSubnet,
      subnets.UpdateClusterNetworkSubnetRequest.fromPartial({
        ...{ clusterNetworkId, id: subnetId, ...MASK, clusterNetworkSubnet: OTHER },
        validateOnly: true,
      }),
    ),
  deleteClusterNetworkSubnet: () =>
    tenant.wire.call(
      S.deleteClusterNetworkSubnet,
      subnets.DeleteClusterNetworkSubnetRequest.fromPartial({
        ...{ clusterNetworkId, id: spareSubnetId },
        validateOnly: true,
      }),
    ),
  createClusterNetworkSubnetReservedIp: () =>
    tenant.wire.call(
      R.createClusterNetworkSubnetReservedIp,
      ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial({
        ...{ clusterNetworkId, subnetId },
        validateOnly: true,
      }),
    ),
  updateClusterNetworkSubnetReservedIp: () =>
    tenant.wire.call(
      R.updateClusterNetworkSubnetReservedIp,
      ips.UpdateClusterNetworkSubnetReservedIpRequest.fromPartial({
        ...{ clusterNetworkId, subnetId, id: ipId, ...MASK, clusterNetworkSubnetReservedIp: OTHER },
        validateOnly: true,
      }),
    ),
  deleteClusterNetworkSubnetReservedIp: () =>
    tenant.wire.call(
      R.deleteClusterNetworkSubnetReservedIp,
      ips.DeleteClusterNetworkSubnetReservedIpRequest.fromPartial({
        ...{ clusterNetworkId, subnetId, id: ipId },
        validateOnly: true,
      }),
    ),
  createClusterNetworkInterface: () =>
    tenant.wire.call(
      I.createClusterNetworkInterface,
      nics.CreateClusterNetworkInterfaceRequest.fromPartial({
        ...{ clusterNetworkId, subnetId },
        validateOnly: true,
      }),
    ),
  updateClusterNetworkInterface: () =>
    tenant.wire.call(
      I.updateClusterNetworkInterface,
      nics.UpdateClusterNetworkInterfaceRequest.fromPartial({
        ...{ clusterNetworkId, id: nicId, ...MASK, clusterNetworkInterface: OTHER },
        validateOnly: true,
      }),
    ),
  deleteClusterNetworkInterface: () =>
    tenant.wire.call(
      I.deleteClusterNetworkInterface,
      nics.DeleteClusterNetworkInterfaceRequest.fromPartial({
        ...{ clusterNetworkId, id: nicId },
        validateOnly: true,
      }),
    ),
  createInstance: () =>
    tenant.wire.call(
      V.createInstance,
      calls.CreateInstanceRequest.fromPartial({
        ...{ ...instanceRequest("two", [], { profile: "bx3d-8x40" }) },
        validateOnly: true,
      }),
    ),
  updateInstance: () =>
    tenant.wire.call(
      V.updateInstance,
      calls.UpdateInstanceRequest.fromPartial({
        ...{ id: instanceId, ...MASK, instance: OTHER },
        validateOnly: true,
      }),
    ),
  startInstance: () =>
    tenant.wire.call(
      V.startInstance,
      calls.StartInstanceRequest.fromPartial({ ...{ id: instanceId }, validateOnly: true }),
    ),
  deleteInstance: () =>
    tenant.wire.call(
      V.deleteInstance,
      calls.DeleteInstanceRequest.fromPartial({ ...{ id: instanceId }, validateOnly: true }),
    ),
  createInstanceClusterNetworkAttachment: () =>
    tenant.wire.call(
      A.createInstanceClusterNetworkAttachment,
      links.CreateInstanceClusterNetworkAttachmentRequest.fromPartial({
        ...{ instanceId, attachment: fresh() },
        validateOnly: true,
      }),
    ),
  batchCreateInstanceClusterNetworkAttachments: () =>
    tenant.wire.call(
      A.batchCreateInstanceClusterNetworkAttachments,
      links.BatchCreateInstanceClusterNetworkAttachmentsRequest.fromPartial({
        ...{ instanceId, attachments: [fresh(), fresh()] },
        validateOnly: true,
      }),
    ),
  updateInstanceClusterNetworkAttachment: () =>
    tenant.wire.call(
      A.updateInstanceClusterNetworkAttachment,
      links.UpdateInstanceClusterNetworkAttachmentRequest.fromPartial({
        ...{ instanceId, id: linkId, ...MASK, instanceClusterNetworkAttachment: OTHER },
        validateOnly: true,
      }),
    ),
  moveInstanceClusterNetworkAttachment: () =>
    tenant.wire.call(
      A.moveInstanceClusterNetworkAttachment,
      links.MoveInstanceClusterNetworkAttachmentRequest.fromPartial({
        ...{ instanceId, id: linkId },
        validateOnly: true,
      }),
    ),
  deleteInstanceClusterNetworkAttachment: () =>
    tenant.wire.call(
      A.deleteInstanceClusterNetworkAttachment,
      links.DeleteInstanceClusterNetworkAttachmentRequest.fromPartial({
        ...{ instanceId, id: linkId },
        validateOnly: true,
      }),
    ),
};

/** Everything that was ever done in the account. */
async function done() {
  const request = ListAuditRecordsRequest.fromPartial({ account: tenant.account, pageSize: 100 });
  return at.admin.call(AuditServiceService.listAuditRecords, request);
}

test.each(Object.entries(DRY))("%s answers as if done and writes nothing", async (_rpc, call) => {
  const before = await done();
  const [instance, layout] = [await tenant.get(instanceId), await tenant.layout(instanceId)];
  expect(Object.values((await call()) as object)[0]).toBeDefined();
  // What works twice has not been done once.
  await call();
  expect([await tenant.get(instanceId), await tenant.layout(instanceId)]).toEqual([
    ...[instance, layout],
  ]);
  expect(await done()).toEqual(before);
});
