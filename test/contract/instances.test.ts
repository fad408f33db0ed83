// What the contract says about instances.
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import {
  HealthState,
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { HostFailurePolicy } from "@railyard/proto/gen/railyard/v1/instance_template";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { instanceRequest, ZONE } from "../customer.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const SMALL = { profile: "bx3d-8x40" };
const NO_ROOM = { profile: "gx3d-160x1792x8h200" };
const { createInstance, getInstance, listInstances, updateInstance, deleteInstance } =
  calls.InstanceServiceService;
const { startInstance, stopInstance } = calls.InstanceServiceService;
const S = InstanceStatus;

let at: Target;
let tenant: Tenant;
beforeAll(async () => {
  at = await target({ machines: true });
});
beforeEach(async () => {
  tenant = await at.tenant();
});
afterEach(() => at.empty());
afterAll(() => at.close());

const updating = (id: string, instance: object, ...updateMask: string[]) =>
  calls.UpdateInstanceRequest.fromPartial({ id, instance, updateMask });
const starting = (id: string) => calls.StartInstanceRequest.fromPartial({ id });
const stopping = (id: string) => calls.StopInstanceRequest.fromPartial({ id });
const refusedBy = (over: object, subnetIds: string[] = []) =>
  tenant.wire.refused(createInstance, instanceRequest("one", subnetIds, over));

async function listed(over: object) {
  const request = calls.ListInstancesRequest.fromPartial(over);
  return (await tenant.wire.call(listInstances, request)).instances.map(({ name }) => name);
}

async function network() {
  const { id } = await tenant.network();
  return { id, subnetId: (await tenant.subnet(id)).id };
}

test("a new instance starts by itself and shows everything that it was made of", async () => {
  const made = await tenant.instance("one", [], {
    ...{ ...SMALL, resourceGroupId: "rg-1", volumeIds: ["vol-datasets"] },
    availabilityPolicy: { hostFailure: HostFailurePolicy.HOST_FAILURE_POLICY_STOP },
  });
  expect([S.INSTANCE_STATUS_PENDING, S.INSTANCE_STATUS_STARTING]).toContain(made.status);
  const running = await tenant.running(made.id);
  expect(running).toMatchObject({
    ...{ name: "one", zone: ZONE, profile: { name: "bx3d-8x40" }, vpc: { id: "vpc-research" } },
    ...{ image: { id: "img-ubuntu-24-04" }, keys: [{ id: "key-ops" }], gpu: undefined },
    ...{ volumes: [{ id: "vol-datasets" }], resourceGroup: { id: "rg-1" } },
    primaryNetworkAttachment: { subnet: { id: "vsub-research-3" } },
    metadataService: { enabled: true, hopLimit: 1 },
    availabilityPolicy: { hostFailure: HostFailurePolicy.HOST_FAILURE_POLICY_STOP },
    ...{ healthState: HealthState.HEALTH_STATE_OK, statusReasons: [], lifecycleReasons: [] },
    lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE,
  });
  expect(running.crn).toContain(running.id);
  expect(running.id).toMatch(/^[-0-9a-z_]{1,64}$/);
});

test("by default an instance is restarted after a host failure", async () => {
  const { availabilityPolicy } = await tenant.instance("one", [], SMALL);
  expect(availabilityPolicy?.hostFailure).toBe(HostFailurePolicy.HOST_FAILURE_POLICY_RESTART);
});

test("user data is never shown", async () => {
  const userData = "echo very-well-hidden";
  const { id } = await tenant.instance("one", [], { ...SMALL, userData });
  await tenant.wire.call(getInstance, { id });
  const heard = Buffer.concat(tenant.wire.received).toString("latin1");
  expect(heard).not.toContain("very-well-hidden");
});

test("zone, profile, image and the primary network attachment are required", async () => {
  const { code, fields } = await tenant.wire.refused(
    createInstance,
    calls.CreateInstanceRequest.fromPartial({ template: {} }),
  );
  const nic = "primary_network_attachment";
  const required = ["image_id", nic, `${nic}.subnet_id`, "profile", "zone"];
  expect([code, fields]).toEqual([INVALID_ARGUMENT, required.map((name) => `template.${name}`)]);
});

test.each<[string, object]>([
  ["template.profile", { profile: "nothing" }],
  ["template.zone", { zone: "nowhere-1" }],
  ["template.image_id", { imageId: "img-nothing" }],
  ["template.key_ids[0]", { keyIds: ["key-nothing"] }],
  ["template.volume_ids[0]", { volumeIds: ["vol-nothing"] }],
  ["template.boot_volume_id", { bootVolumeId: "vol-nothing" }],
  ["template.vpc_id", { vpcId: "vpc-nothing" }],
  [
    "template.primary_network_attachment.subnet_id",
    { primaryNetworkAttachment: { subnetId: "vsub-nothing" } },
  ],
])("an unknown %s is not found, by its field", async (field, over) => {
  const refused = await refusedBy({ ...SMALL, ...over });
  expect([refused.code, refused.fields]).toEqual([NOT_FOUND, [field]]);
});

test("a VPC subnet of another VPC is refused", async () => {
  const refused = await refusedBy({ ...SMALL, vpcId: "vpc-serving" });
  expect(refused.code).toBe(INVALID_ARGUMENT);
});

test("user data above 64 KiB is refused by field", async () => {
  const refused = await refusedBy({ ...SMALL, userData: "a".repeat(65_537) });
  expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, ["template.user_data"]]);
});

test.each([1, 7, 9, 33])("%i attachments are refused, naming the permitted counts", async (n) => {
  const { subnetId } = await network();
  const refused = await refusedBy({}, Array(n).fill(subnetId));
  expect([refused.code, refused.reason]).toEqual([
    INVALID_ARGUMENT,
    "ATTACHMENT_COUNT_NOT_PERMITTED",
  ]);
  expect(refused.message).toMatch(/8.*16.*32/);
});

test("an instance profile that the network does not support is refused", async () => {
  const { subnetId } = await network();
  const refused = await refusedBy(NO_ROOM, Array(8).fill(subnetId));
  expect([refused.code, refused.reason]).toEqual([
    INVALID_ARGUMENT,
    "ATTACHMENT_PROFILE_UNSUPPORTED",
  ]);
});

test("attachments of two networks are refused", async () => {
  const [one, other] = [await network(), await network()];
  const subnets = [...Array(7).fill(one.subnetId), other.subnetId];
  const refused = await refusedBy({}, subnets);
  expect([refused.code, refused.reason]).toEqual([
    INVALID_ARGUMENT,
    "ATTACHMENT_CLUSTER_NETWORK_MISMATCH",
  ]);
});

test("an instance's name is unique in its account", async () => {
  await tenant.instance("one", [], SMALL);
  expect((await refusedBy(SMALL)).reason).toBe("NAME_TAKEN");
});

test("instances are filtered by name, VPC, network, profile and status", async () => {
  const { id } = await tenant.instance("one", [], SMALL);
  await tenant.running(id);
  expect(await listed({ name: "one" })).toEqual(["one"]);
  expect(await listed({ name: "two" })).toEqual([]);
  expect(await listed({ vpcId: "vpc-research" })).toEqual(["one"]);
  expect(await listed({ vpcId: "vpc-serving" })).toEqual([]);
  expect(await listed({ profile: "bx3d-8x40" })).toEqual(["one"]);
  expect(await listed({ clusterNetworkId: "cn-nothing" })).toEqual([]);
  expect(await listed({ status: S.INSTANCE_STATUS_RUNNING })).toEqual(["one"]);
  expect(await listed({ status: S.INSTANCE_STATUS_STOPPED })).toEqual([]);
});

test("name, metadata service and availability policy can be changed, the rest cannot", async () => {
  const { id } = await tenant.instance("one", [], SMALL);
  const change = {
    ...{ name: "two", metadataService: { enabled: false, hopLimit: 2 } },
    availabilityPolicy: { hostFailure: HostFailurePolicy.HOST_FAILURE_POLICY_STOP },
  };
  const mask = ["name", "metadata_service", "availability_policy"];
  const { instance } = await tenant.wire.call(updateInstance, updating(id, change, ...mask));
  expect(instance).toMatchObject(change);
  const refused = await tenant.wire.refused(updateInstance, updating(id, {}, "zone", "image"));
  expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, ["image", "zone"]]);
});

test("a part of a setting can be changed alone", async () => {
  const { id, metadataService } = await tenant.instance("one", [], SMALL);
  const change = async (instance: object, path: string) => {
    const request = updating(id, instance, path);
    return (await tenant.wire.call(updateInstance, request)).instance!;
  };
  const hops = await change({ metadataService: { hopLimit: 9 } }, "metadata_service.hop_limit");
  expect(hops.metadataService).toEqual({ ...metadataService, hopLimit: 9 });
  const off = await change({ metadataService: { hopLimit: 5 } }, "metadata_service.enabled");
  expect(off.metadataService).toEqual({ ...metadataService, hopLimit: 9, enabled: false });
  const { HOST_FAILURE_POLICY_STOP: hostFailure } = HostFailurePolicy;
  const stop = { availabilityPolicy: { hostFailure } };
  const changed = await change(stop, "availability_policy.host_failure");
  expect(changed).toMatchObject({ ...stop, metadataService: off.metadataService });
  const paths = ["metadata_service.colour", "profile.resource_type"];
  const refused = await tenant.wire.refused(updateInstance, updating(id, {}, ...paths));
  expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, paths]);
});

test("enum values that a newer client knows are taken as not said", async () => {
  const made = await tenant.instance("one", [], {
    ...SMALL,
    metadataService: { enabled: true, protocol: 99 as never, hopLimit: 0 },
    availabilityPolicy: { hostFailure: 99 as never },
  });
  expect(made).toMatchObject({
    metadataService: { protocol: 1, hopLimit: 1 },
    availabilityPolicy: { hostFailure: HostFailurePolicy.HOST_FAILURE_POLICY_RESTART },
  });
});

test("what finds no room is failed, startable and says why in tenant-safe words", async () => {
  const instance = await tenant.instance("one", [], NO_ROOM);
  if (instance.status !== S.INSTANCE_STATUS_FAILED) return; // This server has room.
  expect(instance).toMatchObject({
    ...{ startable: true, healthState: HealthState.HEALTH_STATE_INAPPLICABLE },
    lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE,
  });
  const [reason] = instance.statusReasons;
  expect(reason?.code).toBe(
    InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_CANNOT_START_CAPACITY,
  );
  expect(reason?.metadata.size).toBeGreaterThan(0);
});

test("a stopped instance starts again", async () => {
  const { id } = await tenant.instance("one", [], SMALL);
  await tenant.running(id);
  const { instance } = await tenant.wire.call(stopInstance, stopping(id));
  expect([S.INSTANCE_STATUS_STOPPING, S.INSTANCE_STATUS_STOPPED]).toContain(instance?.status);
  await tenant.status(id, S.INSTANCE_STATUS_STOPPED);
  await tenant.wire.call(startInstance, starting(id));
  await tenant.running(id);
});

test("an action that the status does not allow is refused with the statuses that do", async () => {
  const { id } = await tenant.instance("one", [], SMALL);
  await tenant.running(id);
  const refused = await tenant.wire.refused(startInstance, starting(id));
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "INSTANCE_STATUS_CONFLICT"]);
  expect(refused.details.info?.metadata.get("status")).toBe("running");
  expect(refused.details.info?.metadata.get("allowed")).toMatch(/stopped.*failed/);
});

test("a deleted instance is shown as deleting until it is gone, and gives all back", async () => {
  const { id: clusterNetworkId, subnetId } = await network();
  const { id } = await tenant.instance("one", Array(8).fill(subnetId));
  await tenant.running(id);
  const residing = nets.DeleteClusterNetworkRequest.fromPartial({
    ...{ id: clusterNetworkId, cascade: true },
  });
  const { deleteClusterNetwork } = nets.ClusterNetworkServiceService;
  const kept = await tenant.wire.refused(deleteClusterNetwork, residing);
  expect([kept.code, kept.reason]).toEqual([
    FAILED_PRECONDITION,
    "CLUSTER_NETWORK_IN_USE_INSTANCE_EXISTS",
  ]);
  const request = calls.DeleteInstanceRequest.fromPartial({ id });
  const { instance } = await tenant.wire.call(deleteInstance, request);
  expect(instance?.status).toBe(S.INSTANCE_STATUS_DELETING);
  const again = await tenant.get(id);
  if (again) expect(again.status).toBe(S.INSTANCE_STATUS_DELETING);
  await tenant.gone(id);
  await tenant.wire.call(deleteClusterNetwork, residing);
});

test("an instance that is not there is not found by any call", async () => {
  const id = "ins-nothing";
  for (const refused of [
    await tenant.wire.refused(getInstance, { id }),
    await tenant.wire.refused(updateInstance, updating(id, { name: "two" }, "name")),
    await tenant.wire.refused(startInstance, starting(id)),
    await tenant.wire.refused(stopInstance, stopping(id)),
    await tenant.wire.refused(deleteInstance, calls.DeleteInstanceRequest.fromPartial({ id })),
  ]) {
    expect([refused.code, refused.reason]).toEqual([NOT_FOUND, "NOT_FOUND"]);
  }
});
