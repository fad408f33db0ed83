// What the contract says about batches of instances, capacity checks and holds.
import { randomUUID } from "node:crypto";
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import * as placement from "@railyard/proto/gen/railyard/v1/placement";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import {
  ResourceKind,
  WatchObjectsRequest,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import { until } from "../until.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const ABORTED = 10;
const SMALL = { profile: "bx3d-8x40" };
const WHOLE = "gx3d-152x1536-8h100";
const { batchCreateInstances, createInstance } = calls.InstanceServiceService;
const { checkCapacity, createHold, getHold, listHolds, deleteHold } =
  placement.PlacementServiceService;

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

async function network() {
  const { id } = await tenant.network();
  return { id, subnetId: (await tenant.subnet(id)).id };
}

function batching(subnetIds: string[], over: object = {}, template: object = {}) {
  const { template: like } = instanceRequest("", subnetIds, template);
  return calls.BatchCreateInstancesRequest.fromPartial({ template: like!, count: 2, ...over });
}

async function batch(...asked: Parameters<typeof batching>) {
  return (await tenant.wire.call(batchCreateInstances, batching(...asked))).instances;
}

const shapeOf = (clusterNetworkId: string, over: object = {}) => {
  return { clusterNetworkId, instanceProfile: WHOLE, count: 2, ...over };
};
const holding = (clusterNetworkId: string, over: object = {}, shape: object = {}) =>
  placement.CreateHoldRequest.fromPartial({
    ...{ shape: shapeOf(clusterNetworkId, shape), ttl: { seconds: 3_600n }, ...over },
  });

async function hold(...asked: Parameters<typeof holding>) {
  return (await tenant.wire.call(createHold, holding(...asked))).hold!;
}

async function capacity(clusterNetworkId: string, over: object = {}) {
  const request = { shape: shapeOf(clusterNetworkId, over) };
  return tenant.wire.call(checkCapacity, placement.CheckCapacityRequest.fromPartial(request));
}

test("a batch starts all its instances, named after the prefix, and they run", async () => {
  const { subnetId } = await network();
  const made = await batch(Array(8).fill(subnetId), { namePrefix: "gang" });
  expect(made.map(({ name }) => name)).toEqual(["gang-1", "gang-2"]);
  for (const { id, clusterNetworkAttachments } of made) {
    expect(clusterNetworkAttachments).toHaveLength(8);
    await tenant.running(id);
  }
  const rails = await Promise.all(made.map(({ id }) => tenant.layout(id)));
  expect(rails.map((rows) => rows.map(({ rail }) => rail))).toEqual([
    ...[0, 1].map(() => [0, 1, 2, 3, 4, 5, 6, 7]),
  ]);
});

test("without a prefix the names are random", async () => {
  const names = (await batch([], {}, SMALL)).map(({ name }) => name);
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+){3}$/);
  expect(new Set(names).size).toBe(2);
});

test("a batch for which there is no room leaves nothing behind and says how many fit", async () => {
  const { subnetId } = await network();
  const request = batching(Array(8).fill(subnetId), { count: 3 });
  const refused = await tenant.wire.refused(batchCreateInstances, request);
  expect([refused.code, refused.reason]).toEqual([RESOURCE_EXHAUSTED, "CAPACITY"]);
  const said = Object.fromEntries(refused.details.info?.metadata ?? []);
  expect(said).toMatchObject({ asked: "3", fit: "2", short: "gpu" });
  // More machines are declared than there is room on: others can give some back.
  expect(said.waiting_can_help).toBe("true");
  expect(refused.details.retry?.retryDelay?.seconds).toBeGreaterThan(0n);
  const all = calls.ListInstancesRequest.fromPartial({});
  const { listInstances } = calls.InstanceServiceService;
  expect((await tenant.wire.call(listInstances, all)).totalSize).toBe(0n);
});

test("a repeated batch is answered as the first was, and makes nothing new", async () => {
  const request = { ...batching([], { namePrefix: "gang" }, SMALL), requestId: randomUUID() };
  const first = await tenant.wire.call(batchCreateInstances, request);
  expect(await tenant.wire.call(batchCreateInstances, request)).toEqual(first);
  const other = await tenant.wire.refused(batchCreateInstances, { ...request, count: 1 });
  expect([other.code, other.reason]).toEqual([ALREADY_EXISTS, "REQUEST_ID_REUSED"]);
});

test("a dry run of a batch answers with instances that are not there", async () => {
  const made = await batch([], { validateOnly: true }, SMALL);
  expect(made).toHaveLength(2);
  expect(await tenant.get(made[0]!.id)).toBeUndefined();
});

test("names that are taken are refused by the prefix", async () => {
  await tenant.instance("gang-2", [], SMALL);
  const request = batching([], { namePrefix: "gang" }, SMALL);
  const refused = await tenant.wire.refused(batchCreateInstances, request);
  expect([refused.code, refused.fields]).toEqual([ALREADY_EXISTS, ["name_prefix"]]);
});

test("a batch can name no existing interface and no volume", async () => {
  const { id, subnetId } = await network();
  const nic = await tenant.interface(id, subnetId);
  const { template } = instanceRequest("", [], { volumeIds: ["vol-datasets"] });
  template!.clusterNetworkAttachments = Array.from({ length: 8 }, () => ({
    ...{ name: "", interface: { $case: "interfaceId" as const, value: nic.id } },
  }));
  const request = calls.BatchCreateInstancesRequest.fromPartial({ template: template!, count: 2 });
  const { code, fields } = await tenant.wire.refused(batchCreateInstances, request);
  expect(code).toBe(INVALID_ARGUMENT);
  expect(fields).toEqual(
    expect.arrayContaining([
      "template.cluster_network_attachments[0].interface_id",
      "template.volume_ids",
    ]),
  );
});

test.each([
  { count: 0 },
  { count: 65 },
  { count: 2, segmentSize: 65 },
  { count: 2, maxLeafGroups: -1 },
])("a batch of %o is refused", async (over) => {
  const refused = await tenant.wire.refused(batchCreateInstances, batching([], over, SMALL));
  expect(refused.code).toBe(INVALID_ARGUMENT);
});

test("a capacity check answers what a batch would find, and holds nothing", async () => {
  const { id, subnetId } = await network();
  expect(await capacity(id)).toMatchObject({
    ...{ fits: true, askedCount: 2, fitCount: 2, leafGroupSpans: [2], shortfalls: [] },
  });
  const short = await capacity(id, { count: 2, spares: 1 });
  expect(short).toMatchObject({ fits: false, askedCount: 3, fitCount: 2, leafGroupSpans: [] });
  expect(short.shortfalls[0]?.resource).toBe(placement.CapacityResource.CAPACITY_RESOURCE_GPU);
  await batch(Array(8).fill(subnetId));
  expect(await capacity(id)).toMatchObject({ fits: false, fitCount: 0, waitingCanHelp: true });
});

test("a capacity check names what is unknown, and a count that is not permitted", async () => {
  const { id } = await network();
  const unknown = placement.CheckCapacityRequest.fromPartial({
    shape: { clusterNetworkId: "cn-nothing", instanceProfile: "nothing", count: 1 },
  });
  const missing = await tenant.wire.refused(checkCapacity, unknown);
  expect([missing.code, missing.fields]).toEqual([
    NOT_FOUND,
    ["shape.cluster_network_id", "shape.instance_profile"],
  ]);
  const odd = { shape: shapeOf(id, { attachmentCount: 3 }) };
  const request = placement.CheckCapacityRequest.fromPartial(odd);
  const refused = await tenant.wire.refused(checkCapacity, request);
  expect([refused.code, refused.fields, refused.reason]).toEqual([
    INVALID_ARGUMENT,
    ["shape.attachment_count"],
    "ATTACHMENT_COUNT_NOT_PERMITTED",
  ]);
});

test("a hold shows what it is for, how close together, and until when", async () => {
  const { id } = await network();
  const ttl = { seconds: 3_600n, nanos: 500_000_000 };
  const made = await hold(id, { name: "room", ttl }, { count: 1, spares: 1, maxLeafGroups: 1 });
  expect(made).toMatchObject({
    ...{ name: "room", count: 1, spares: 1, maxLeafGroups: 1, segmentSize: 0, attachmentCount: 8 },
    ...{ clusterNetwork: { id, resourceType: "cluster_network" }, resourceType: "hold" },
    ...{ instanceProfile: { name: WHOLE, resourceType: "instance_profile" } },
    ...{ lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE, leafGroupSpans: [2] },
  });
  expect(made.expiresAt!.getTime() - made.createdAt!.getTime()).toBe(3_600_500);
  expect((await tenant.wire.call(getHold, { id: made.id })).hold).toEqual(made);
  const { holds, totalSize } = await tenant.wire.call(
    listHolds,
    placement.ListHoldsRequest.fromPartial({}),
  );
  expect([holds, totalSize]).toEqual([[made], 1n]);
});

test("held room is kept from others and given back by a delete", async () => {
  const { id } = await network();
  const made = await hold(id);
  expect((await capacity(id)).fits).toBe(false);
  const stale = placement.DeleteHoldRequest.fromPartial({ id: made.id, etag: "0" });
  expect((await tenant.wire.refused(deleteHold, stale)).code).toBe(ABORTED);
  const dry = placement.DeleteHoldRequest.fromPartial({ id: made.id, validateOnly: true });
  await tenant.wire.call(deleteHold, dry);
  const request = placement.DeleteHoldRequest.fromPartial({ id: made.id, etag: made.etag });
  const gone = (await tenant.wire.call(deleteHold, request)).hold;
  expect(gone?.lifecycleState).toBe(LifecycleState.LIFECYCLE_STATE_DELETING);
  expect((await tenant.wire.refused(getHold, { id: made.id })).code).toBe(NOT_FOUND);
  expect((await capacity(id)).fits).toBe(true);
});

test("a batch uses a hold up, once", async () => {
  const { id, subnetId } = await network();
  const { id: holdId } = await hold(id);
  const alone = await tenant.wire.call(
    createInstance,
    instanceRequest("", Array(8).fill(subnetId)),
  );
  expect(alone.instance?.startable).toBe(true);
  const made = await batch(Array(8).fill(subnetId), { holdId });
  for (const instance of made) await tenant.running(instance.id);
  expect((await tenant.wire.refused(getHold, { id: holdId })).code).toBe(NOT_FOUND);
  const again = batching(Array(8).fill(subnetId), { holdId });
  const refused = await tenant.wire.refused(batchCreateInstances, again);
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "HOLD_CONSUMED"]);
});

test("a batch that a hold was not made for is refused, and the hold stays", async () => {
  const { id, subnetId } = await network();
  const made = await hold(id, {}, { count: 1 });
  const request = batching(Array(16).fill(subnetId), { holdId: made.id });
  const refused = await tenant.wire.refused(batchCreateInstances, request);
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "HOLD_MISMATCH"]);
  expect(refused.fields).toEqual(["count", "template.cluster_network_attachments"]);
  const none = batching(Array(8).fill(subnetId), { holdId: "hold-nothing" });
  const missing = await tenant.wire.refused(batchCreateInstances, none);
  expect([missing.code, missing.fields]).toEqual([NOT_FOUND, ["hold_id"]]);
  expect((await tenant.wire.call(getHold, { id: made.id })).hold).toEqual(made);
});

test("a repeated hold is answered as the first was", async () => {
  const { id } = await network();
  const request = { ...holding(id, {}, { count: 1 }), requestId: randomUUID() };
  const first = await tenant.wire.call(createHold, request);
  expect(await tenant.wire.call(createHold, request)).toEqual(first);
  expect((await capacity(id, { count: 1 })).fits).toBe(true);
});

test.each([59n, 604_801n])("a hold for %d seconds is refused", async (seconds) => {
  const { id } = await network();
  const refused = await tenant.wire.refused(createHold, holding(id, { ttl: { seconds } }));
  expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, ["ttl"]]);
});

test("a network with a hold is deleted only with cascade, which gives its room back", async () => {
  const { id } = await tenant.network();
  const made = await hold(id);
  expect((await capacity(id)).fits).toBe(false);
  const { deleteClusterNetwork } = nets.ClusterNetworkServiceService;
  const request = nets.DeleteClusterNetworkRequest.fromPartial({ id });
  const refused = await tenant.wire.refused(deleteClusterNetwork, request);
  expect([refused.code, refused.reason]).toEqual([
    FAILED_PRECONDITION,
    "CLUSTER_NETWORK_IN_USE_HOLD_EXISTS",
  ]);
  const { resource, holders } = refused.details;
  expect([resource?.resourceType, resource?.resourceName]).toEqual(["cluster_network", id]);
  expect(holders?.violations.map(({ subject }) => subject)).toEqual([`hold/${made.id}`]);
  expect((await tenant.wire.call(getHold, { id: made.id })).hold).toEqual(made);
  const cascade = { ...request, cascade: true };
  await tenant.wire.call(deleteClusterNetwork, { ...cascade, validateOnly: true });
  expect((await tenant.wire.call(getHold, { id: made.id })).hold).toEqual(made);
  await tenant.wire.call(deleteClusterNetwork, cascade);
  expect((await tenant.wire.refused(getHold, { id: made.id })).code).toBe(NOT_FOUND);
  const { id: elsewhere } = await network();
  expect((await capacity(elsewhere)).fits).toBe(true);
});

test("the watch tells of holds, until they are used up", async () => {
  const { id, subnetId } = await network();
  const kinds = [ResourceKind.RESOURCE_KIND_HOLD];
  const request = WatchObjectsRequest.fromPartial({ kinds, fromRevision: 0n });
  const stream = tenant.wire.stream(WatchServiceService.watchObjects, request);
  const { id: holdId } = await hold(id, {}, { count: 1 });
  await batch(Array(8).fill(subnetId), { holdId, count: 1 });
  const told = () =>
    stream.messages.flatMap(({ message }) => (message?.$case === "event" ? [message.value] : []));
  await until("both changes are told", async () => told().length === 2);
  stream.call.cancel();
  expect(told().map(({ operation, object }) => [operation, object?.$case])).toEqual([
    [1, "hold"],
    [3, "hold"],
  ]);
});

test("what a hold keeps of machines is in no answer", async () => {
  const { id } = await network();
  await hold(id);
  await capacity(id, { count: 3 });
  const heard = Buffer.concat(tenant.wire.received).toString("latin1");
  expect(heard).not.toMatch(/wdc07|su1|leaf-|GPU-|node-/);
});

test("instances of a batch are each deleted as any other", async () => {
  const made = await batch([], {}, SMALL);
  for (const { id } of made) await tenant.status(id, InstanceStatus.INSTANCE_STATUS_RUNNING);
  for (const { id } of made) await tenant.delete(id);
  for (const { id } of made) await tenant.gone(id);
});
