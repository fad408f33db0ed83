// What the contract says about watching: ordered, without gaps, resumable, one account's own.
import {
  AuditServiceService,
  ListAuditRecordsRequest,
} from "@railyard/proto/gen/railyard/admin/v1/audit";
import { DeleteClusterNetworkSubnetRequest } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { ListClusterNetworkSubnetReservedIpsRequest } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import {
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import {
  ResourceKind,
  WatchObjectsRequest,
  type WatchObjectsResponse,
  WatchOperation,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../until.js";
import { R, S } from "./services.js";
import { type Target, target } from "./target.js";

const OUT_OF_RANGE = 11;
const { watchObjects } = WatchServiceService;

let at: Target;
beforeAll(async () => {
  at = await target();
});
afterAll(() => at.close());

const eventsOf = (messages: readonly WatchObjectsResponse[]) =>
  messages.flatMap(({ message }) => (message?.$case === "event" ? [message.value] : []));

test("what happens in the account is told in order, and from any revision again", async () => {
  const [mine, other] = [await at.tenant(), await at.tenant()];
  const all = WatchObjectsRequest.fromPartial({ fromRevision: 0n });
  const live = mine.wire.stream(watchObjects, all);
  await other.network();
  const { id } = await mine.network();
  await mine.subnet(id);
  const subnetTold = () =>
    eventsOf(live.messages).some(({ object }) => object?.$case === "clusterNetworkSubnet");
  await until("the subnet is told", subnetTold);
  const told = eventsOf(live.messages);
  const revisions = told.map(({ revision }) => revision);
  expect(revisions).toEqual(revisions.slice().sort((a, b) => Number(a - b)));
  // The account's own revisions, of which this is the first.
  expect(told[0]).toMatchObject({
    revision: 1n,
    operation: WatchOperation.WATCH_OPERATION_CREATED,
    object: { $case: "clusterNetwork", value: { id } },
  });
  const again = WatchObjectsRequest.fromPartial({ fromRevision: revisions[0] });
  const rest = mine.wire.stream(watchObjects, again);
  const wanted = told.filter(({ revision }) => revision > revisions[0]!);
  await until("the rest is told", () => eventsOf(rest.messages).length >= wanted.length);
  expect(eventsOf(rest.messages).slice(0, wanted.length)).toEqual(wanted);
  for (const stream of [live, rest]) stream.call.cancel();
});

test("a create without room is told as pending, then as failed, with what is short", async () => {
  const mine = await at.tenant();
  const kinds = [ResourceKind.RESOURCE_KIND_INSTANCE];
  const live = mine.wire.stream(watchObjects, WatchObjectsRequest.fromPartial({ kinds }));
  await until("the watch began", () => live.messages.length > 0);
  const answered = await mine.instance("one", [], { profile: "gx3d-160x1792x8h200" });
  if (answered.status !== InstanceStatus.INSTANCE_STATUS_FAILED) return; // This server has room.
  await until("both are told", () => eventsOf(live.messages).length >= 2);
  live.call.cancel();
  const told = eventsOf(live.messages).flatMap(({ revision, object }) =>
    object?.$case === "instance" ? [{ revision, instance: object.value }] : [],
  );
  expect(told.map(({ instance }) => instance.status)).toEqual([
    InstanceStatus.INSTANCE_STATUS_PENDING,
    InstanceStatus.INSTANCE_STATUS_FAILED,
  ]);
  expect(told[1]?.revision).toBe((told[0]?.revision ?? 0n) + 1n);
  // Both in the transaction of the create.
  const audit = ListAuditRecordsRequest.fromPartial({ account: mine.account });
  const { auditRecords } = await at.admin.call(AuditServiceService.listAuditRecords, audit);
  expect(auditRecords.map(({ rpc }) => rpc.split("/").at(-1))).toEqual(["CreateInstance"]);
  expect(told[1]?.instance).toEqual(answered);
  const [reason] = answered.statusReasons;
  expect(reason?.code).toBe(
    InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_CANNOT_START_CAPACITY,
  );
  const metadata = Object.fromEntries(reason?.metadata ?? []);
  expect(Object.keys(metadata)).toEqual(expect.arrayContaining(["shape", "asked", "fit"]));
  expect(metadata.waiting_can_help).toMatch(/^(true|false)$/);
});

test("a watch from now begins with a bookmark of the present revision", async () => {
  const mine = await at.tenant();
  await mine.network();
  const live = mine.wire.stream(watchObjects, WatchObjectsRequest.fromPartial({}));
  await until("the watch began", () => live.messages.length > 0);
  expect(live.messages[0]?.message).toEqual({ $case: "bookmark", value: { revision: 1n } });
  await mine.network();
  await until("the next is told", () => eventsOf(live.messages).length > 0);
  expect(eventsOf(live.messages)[0]?.revision).toBe(2n);
  live.call.cancel();
});

test("an idle watch is told from time to time how far it is, whatever its kinds", async () => {
  const mine = await at.tenant();
  const kinds = [ResourceKind.RESOURCE_KIND_INSTANCE];
  const request = WatchObjectsRequest.fromPartial({ kinds, fromRevision: 0n });
  const live = mine.wire.stream(watchObjects, request);
  await mine.network();
  const bookmark = await until("a bookmark of what was left out", () =>
    live.messages.find(
      ({ message }) => message?.$case === "bookmark" && message.value.revision === 1n,
    ),
  );
  expect([bookmark.message?.$case, eventsOf(live.messages)]).toEqual(["bookmark", []]);
  live.call.cancel();
});

test("the events of one call are one revision, of which the last says so", async () => {
  const mine = await at.tenant();
  const { id } = await mine.network();
  await mine.subnet(id);
  const live = mine.wire.stream(
    watchObjects,
    WatchObjectsRequest.fromPartial({ fromRevision: 1n }),
  );
  await until("all are told", () => eventsOf(live.messages).some((event) => event.lastOfRevision));
  const told = eventsOf(live.messages);
  expect(told.map(({ revision }) => revision)).toEqual(told.map(() => 2n));
  expect(told.map(({ lastOfRevision }) => lastOfRevision)).toEqual(
    told.map((_, i) => i === told.length - 1),
  );
  live.call.cancel();
});

test("a subnet's provider-owned reserved IPs are told after it, and gone before it", async () => {
  const mine = await at.tenant();
  const { id: clusterNetworkId } = await mine.network();
  const asItComes = mine.wire.stream(watchObjects, WatchObjectsRequest.fromPartial({}));
  await until("the watch began", () => asItComes.messages.length > 0);
  const { id: subnetId } = await mine.subnet(clusterNetworkId);
  const path = { clusterNetworkId, subnetId };
  const list = ListClusterNetworkSubnetReservedIpsRequest.fromPartial(path);
  const { clusterNetworkSubnetReservedIps: kept } = await mine.wire.call(
    R.listClusterNetworkSubnetReservedIps,
    list,
  );
  const gone = { clusterNetworkId, id: subnetId };
  await mine.wire.call(
    S.deleteClusterNetworkSubnet,
    DeleteClusterNetworkSubnetRequest.fromPartial(gone),
  );
  const fromThen = (kinds: ResourceKind[]) =>
    mine.wire.stream(watchObjects, WatchObjectsRequest.fromPartial({ fromRevision: 1n, kinds }));
  const told = async (live: typeof asItComes) => {
    const ends = () => eventsOf(live.messages).filter((event) => event.lastOfRevision).length === 2;
    await until("both calls are told", ends);
    live.call.cancel();
    return eventsOf(live.messages).map(({ revision, operation, object }) => {
      return [revision, operation, object?.value];
    });
  };
  const created = WatchOperation.WATCH_OPERATION_CREATED;
  const deleted = WatchOperation.WATCH_OPERATION_DELETED;
  const byName = [...kept].sort((a, b) => (a.id < b.id ? -1 : 1));
  const own = (revision: bigint, op: WatchOperation) => byName.map((ip) => [revision, op, ip]);
  const ofIps = [...own(2n, created), ...own(3n, deleted)];
  const kinds = [ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_SUBNET_RESERVED_IP];
  expect(await told(fromThen(kinds))).toEqual(ofIps);
  const all = await told(fromThen([]));
  const [first, ...rest] = all;
  expect(first?.[2]).toMatchObject({ id: subnetId });
  expect(rest.slice(0, -1)).toEqual(ofIps);
  expect(rest.at(-1)).toMatchObject([3n, deleted, { id: subnetId }]);
  expect(await told(asItComes)).toEqual(all);
});

test("a watch from a revision that has not come is out of range: relist", async () => {
  const mine = await at.tenant();
  const request = WatchObjectsRequest.fromPartial({ fromRevision: 99n });
  const refused = await mine.wire.stream(watchObjects, request).ended;
  expect(refused).toMatchObject({ code: OUT_OF_RANGE, reason: "REVISION_UNKNOWN" });
  expect(refused?.message).toContain("relist");
});
