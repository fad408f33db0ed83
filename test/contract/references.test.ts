// What the contract says about references to what is gone, and about what is in use already: the
// refusal names it and its holders.
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import { A, I, R, V } from "./services.js";
import { type Target, type Tenant, target } from "./target.js";

const FAILED_PRECONDITION = 9;
const COUNT = 8;
const SMALL = { profile: "bx3d-8x40" };
const S = InstanceStatus;

let at: Target;
let tenant: Tenant;
let clusterNetworkId: string;
let subnetId: string;
beforeAll(async () => {
  at = await target({ machines: true });
});
beforeEach(async () => {
  tenant = await at.tenant();
  clusterNetworkId = (await tenant.network()).id;
  subnetId = (await tenant.subnet(clusterNetworkId)).id;
});
afterEach(() => at.empty());
afterAll(() => at.close());

async function interfaceWith(autoDelete: boolean) {
  const request = nics.CreateClusterNetworkInterfaceRequest.fromPartial({
    ...{ clusterNetworkId, subnetId },
    primaryIp: { source: { $case: "reservedIp", value: { autoDelete } } },
  });
  const made = await tenant.wire.call(I.createClusterNetworkInterface, request);
  return made.clusterNetworkInterface!;
}

/** A stopped instance whose first attachment is bound to an interface that was there before. */
async function stopped(interfaceId: string) {
  const first = { interface: { $case: "interfaceId" as const, value: interfaceId } };
  const fresh = () => ({ interface: { $case: "newInterface" as const, value: { subnetId } } });
  const clusterNetworkAttachments = [first, ...Array.from({ length: COUNT - 1 }, fresh)];
  const { template } = instanceRequest("one", []);
  const request = calls.CreateInstanceRequest.fromPartial({
    ...{ name: "one", template: { ...template!, clusterNetworkAttachments } },
  });
  const { id } = (await tenant.wire.call(V.createInstance, request)).instance!;
  await tenant.running(id);
  await tenant.wire.call(V.stopInstance, calls.StopInstanceRequest.fromPartial({ id }));
  return tenant.status(id, S.INSTANCE_STATUS_STOPPED);
}

test("a deleted interface's reserved IP is marked as deleted if it went along", async () => {
  for (const autoDelete of [true, false]) {
    const { id, primaryIp } = await interfaceWith(autoDelete);
    const path = { clusterNetworkId, id, etag: "", validateOnly: false };
    const gone = await tenant.wire.call(I.deleteClusterNetworkInterface, path);
    const { primaryIp: shown, subnet, vpc } = gone.clusterNetworkInterface!;
    expect(shown).toEqual({ ...primaryIp, deleted: autoDelete });
    expect([subnet?.deleted, vpc?.deleted]).toEqual([false, false]);
  }
});

test("a removed attachment's interface is marked as deleted if it went along", async () => {
  const { id: kept } = await interfaceWith(true);
  const { id: instanceId, clusterNetworkAttachments: all } = await stopped(kept);
  const remove = async (id: string) => {
    const request = { instanceId, id, etag: "", validateOnly: false };
    const gone = await tenant.wire.call(A.deleteInstanceClusterNetworkAttachment, request);
    return gone.instanceClusterNetworkAttachment!;
  };
  const { interface: stays } = await remove(all[0]!.id);
  expect([stays?.deleted, stays?.primaryIp?.deleted]).toEqual([false, false]);
  const { interface: goes, before } = await remove(all[1]!.id);
  expect([goes?.deleted, goes?.primaryIp?.deleted]).toEqual([true, true]);
  expect([goes?.subnet?.deleted, before?.deleted]).toEqual([false, false]);
});

test("a deleted instance's attachments are marked as deleted once they are gone", async () => {
  const { id } = await stopped((await interfaceWith(true)).id);
  const request = { id, etag: "", validateOnly: false };
  const { instance } = await tenant.wire.call(V.deleteInstance, request);
  const marks = instance!.clusterNetworkAttachments.map(({ deleted }) => deleted);
  expect(marks).toEqual(Array(COUNT).fill(true));
  expect([instance!.image?.deleted, instance!.clusterNetwork?.deleted]).toEqual([false, false]);
  const { id: runs } = await tenant.instance("two", Array(COUNT).fill(subnetId));
  await tenant.running(runs);
  const leaving = await tenant.wire.call(V.deleteInstance, { ...request, id: runs });
  const held = leaving.instance!.clusterNetworkAttachments.map(({ deleted }) => deleted);
  expect(held).toEqual(Array(COUNT).fill(false));
});

test("a volume has one user, whom the refusal names until it is gone", async () => {
  const volume = { ...SMALL, volumeIds: ["vol-datasets"] };
  const { id } = await tenant.instance("one", [], volume);
  for (const wish of [volume, { ...SMALL, bootVolumeId: "vol-datasets" }]) {
    const request = instanceRequest("two", [], wish);
    const refused = await tenant.wire.refused(V.createInstance, request);
    expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "VOLUME_IN_USE"]);
    const { resource, holders } = refused.details;
    expect([resource?.resourceType, resource?.resourceName]).toEqual(["volume", "vol-datasets"]);
    expect(holders?.violations.map(({ subject }) => subject)).toEqual([`instance/${id}`]);
  }
  // Another account learns that it is in use, and not by whom.
  const stranger = await at.tenant();
  const asked = instanceRequest("two", [], volume);
  const told = await stranger.wire.refused(V.createInstance, asked);
  expect([told.reason, told.details.holders]).toEqual(["VOLUME_IN_USE", undefined]);
  await tenant.delete(id);
  await tenant.gone(id);
  await tenant.instance("two", [], volume);
});

test("a reserved IP that is bound, and who has it, is named", async () => {
  const { id, primaryIp } = await interfaceWith(false);
  const source = { $case: "reservedIpId" as const, value: primaryIp!.id };
  const request = nics.CreateClusterNetworkInterfaceRequest.fromPartial({
    ...{ clusterNetworkId, primaryIp: { source } },
  });
  const refused = await tenant.wire.refused(I.createClusterNetworkInterface, request);
  expect([refused.reason, refused.details.resource?.resourceName]).toEqual([
    ...["RESERVED_IP_ALREADY_BOUND", primaryIp!.id],
  ]);
  expect(refused.details.holders?.violations[0]?.subject).toContain(id);
  const path = { clusterNetworkId, subnetId, id: primaryIp!.id };
  const got = await tenant.wire.call(R.getClusterNetworkSubnetReservedIp, path);
  expect(got.clusterNetworkSubnetReservedIp?.target?.id).toBe(id);
});
