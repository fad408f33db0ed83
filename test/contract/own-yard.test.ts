// What the contract says that only a yard of the suite's own can show: chance that repeats itself,
// two kinds of physical cluster behind one network profile, logs that are cut off, slow readers.
import { randomUUID } from "node:crypto";
import { BEHIND_ROWS_MAX } from "@railyard/controller/service/watch/hub";
import { ACCOUNT_LOG_ROWS } from "@railyard/controller/store/account-log";
import { systemClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { type Rng, seededRng, systemRng } from "@railyard/lib/rng";
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  ClusterNetworkServiceService,
  CreateClusterNetworkRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import {
  WatchObjectsRequest,
  type WatchObjectsResponse,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { afterEach, describe, expect, test } from "vitest";
import { Customer, ZONE } from "../customer.js";
import { until } from "../until.js";
import type { WireError, WireStream } from "../wire.js";
import { exampleMzone, type MzoneDocument, Yard, type YardOptions } from "../yard.js";
import { OWN_YARD } from "./target.js";

const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const OUT_OF_RANGE = 11;
const ACME = "acme" as AccountId;
const COUNT = 8;
const DAY_MS = 24 * 60 * 60 * 1000;
const [H100_NODES, H200_NODE] = [["wdc07-a-r01-s01", "wdc07-a-r01-s02"], "wdc07-b-r01-s01"];
const H200 = { profile: "gx3d-160x1792x8h200" };
const { createClusterNetworkInterface, deleteClusterNetworkInterface } =
  nics.ClusterNetworkInterfaceServiceService;

let yard: Yard;
afterEach(() => yard?.close());

async function open(how: YardOptions = {}, document?: MzoneDocument): Promise<Customer> {
  yard = await Yard.open(how);
  await yard.applyMzone(document);
  return new Customer(await yard.tenant(ACME));
}

/** Every call of the account draws the same again. */
function unlucky(): Rng {
  const system = systemRng();
  const bytes = (n: number) => seededRng("again").bytes(n);
  const fork = (label: string) => (label === ACME ? { ...system, bytes } : unlucky());
  return { ...system, fork };
}

describe.runIf(OWN_YARD)("in a yard of its own", () => {
  test("the MAC of a deleted interface is not used again while it is quarantined", async () => {
    const customer = await open({ rng: unlucky() });
    const { id: clusterNetworkId } = await customer.network({ name: "net" });
    const { id: subnetId } = await customer.subnet(clusterNetworkId, { name: "sub" });
    const macs = new Set<string>();
    for (let i = 0; i < 4; i++) {
      const request = nics.CreateClusterNetworkInterfaceRequest.fromPartial({
        ...{ clusterNetworkId, subnetId, name: `nic-${i}` },
      });
      const made = await customer.wire.call(createClusterNetworkInterface, request);
      const { id, macAddress } = made.clusterNetworkInterface!;
      macs.add(macAddress);
      const gone = { clusterNetworkId, id, etag: "", validateOnly: false };
      await customer.wire.call(deleteClusterNetworkInterface, gone);
    }
    expect(macs.size).toBe(4);
  });

  test("an empty network moves to where the hardware is, and stays while it is used", async () => {
    const document = exampleMzone();
    const [hopper, h200] = document.profiles.clusterNetworks;
    document.profiles.clusterNetworks.push({
      ...hopper!,
      name: "hopper-any",
      clusterTypes: [hopper!.clusterTypes, h200!.clusterTypes].flat(),
      instanceProfiles: [...hopper!.instanceProfiles, H200.profile],
    });
    const customer = await open({}, document);
    for (const node of [...H100_NODES, H200_NODE]) await yard.startAgent(node, document);
    await yard.ready(...H100_NODES, H200_NODE);
    const { id } = await customer.network({ profile: "hopper-any" });
    const subnetIds = Array(COUNT).fill((await customer.subnet(id)).id);
    const first = await customer.instance("first", subnetIds, H200);
    await customer.running(first.id);
    expect(await hosts(first.id)).toEqual([H200_NODE]);
    const other = await customer.instance("other", subnetIds);
    expect(other.status).toBe(InstanceStatus.INSTANCE_STATUS_FAILED);
    for (const one of [first, other]) {
      await customer.delete(one.id);
      await customer.gone(one.id);
    }
    const back = await customer.instance("back", subnetIds);
    await customer.running(back.id);
    expect(H100_NODES).toContain((await hosts(back.id))[0]);
  });

  test("a network for which no physical cluster has an isolation id is refused", async () => {
    const document = exampleMzone();
    const [first] = document.zones[0]!.physicalClusters;
    Object.assign(first!, { isolation: { kind: "vlan", range: [100, 100] } });
    const customer = await open({}, document);
    const { id } = await customer.network();
    const refused = await customer.network().catch((err: unknown) => err);
    expect(refused).toMatchObject({
      ...{ code: FAILED_PRECONDITION, reason: "CLUSTER_NETWORK_PROFILE_UNAVAILABLE" },
    });
    // What a deleted network had rests first.
    const gone = { id, etag: "", cascade: false, validateOnly: false };
    await customer.wire.call(ClusterNetworkServiceService.deleteClusterNetwork, gone);
    expect(await customer.network().catch((err: unknown) => err)).toMatchObject({
      reason: "CLUSTER_NETWORK_PROFILE_UNAVAILABLE",
    });
  });

  test("what an instance refers to cannot be taken out of the catalog", async () => {
    const customer = await open();
    await customer.instance("one", [], { ...H200, volumeIds: ["vol-datasets"] });
    const document = exampleMzone();
    document.metadata.generation += 1;
    const { volumes } = document.catalog;
    document.catalog.volumes = volumes.filter((volume) => volume.id !== "vol-datasets");
    const refused = await yard.applyMzone(document).catch((err: unknown) => err);
    expect(refused).toMatchObject({ reason: "MZONE_OBJECT_IN_USE" });
    expect((refused as WireError).details.resource?.resourceName).toBe("vol-datasets");
  });

  test("a request id is kept for a day, then it may be used again", async () => {
    let ahead = 0;
    const system = systemClock();
    const customer = await open({ clock: { ...system, now: () => system.now() + ahead } });
    const request = CreateClusterNetworkRequest.fromPartial({
      ...{ profile: "hopper-1", vpcId: "vpc-research", zone: ZONE, requestId: randomUUID() },
    });
    const { createClusterNetwork } = ClusterNetworkServiceService;
    const first = await customer.wire.call(createClusterNetwork, request);
    const later = async (ms: number) => {
      ahead = ms;
      // What has had its time goes when a controller starts, and once a minute.
      await yard.controller.stop();
      await yard.startController();
      return yard.tenant(ACME);
    };
    const kept = await later(DAY_MS - 60_000);
    expect(await kept.call(createClusterNetwork, request)).toEqual(first);
    const forgot = await later(DAY_MS + 60_000);
    await until("it is forgotten", async () => {
      const { clusterNetwork } = await forgot.call(createClusterNetwork, request);
      return clusterNetwork?.id !== first.clusterNetwork?.id;
    });
  });

  test("a watch from a revision that is no longer kept is out of range: relist", async () => {
    const customer = await open();
    const { id } = await customer.network();
    await rename(id, ACCOUNT_LOG_ROWS + 10);
    const { store } = yard.controller.context;
    await store.write({ by: "system:test", method: "Test", at: 0 }, (tx) => tx.expire(0));
    const refused = await watch(customer, 1n).ended;
    expect(refused).toMatchObject({ code: OUT_OF_RANGE, reason: "REVISION_TOO_OLD" });
    expect(refused?.message).toContain("relist");
  });

  test("a slow reader is closed with its last revision, from which it goes on", async () => {
    const customer = await open();
    const { id } = await customer.network();
    const [slow, fast] = [watch(customer), watch(customer)];
    await until("both began", () => slow.messages.length > 0 && fast.messages.length > 0);
    slow.call.pause();
    await rename(id, BEHIND_ROWS_MAX + 2_000, () => caughtUp(fast));
    slow.call.resume();
    const refused = await slow.ended;
    expect(refused).toMatchObject({ code: RESOURCE_EXHAUSTED, reason: "READER_TOO_SLOW" });
    const last = BigInt(refused?.details.info?.metadata.get("last_revision") ?? 0);
    expect(revisions(slow)).toContain(last);
    const again = watch(customer, last);
    await caughtUp(again);
    expect(revisions(again)[0]).toBe(last + 1n);
    for (const stream of [fast, again]) stream.call.cancel();
  });
});

async function hosts(value: string): Promise<string[]> {
  const request = { subject: { $case: "instanceId" as const, value } };
  const { rows } = await yard.operator.call(NodeServiceService.getPlacedLayout, request);
  return [...new Set(rows.map(({ nodeName }) => nodeName))];
}

function watch({ wire }: Customer, fromRevision?: bigint): WireStream<WatchObjectsResponse> {
  const request = WatchObjectsRequest.fromPartial({ fromRevision });
  return wire.stream(WatchServiceService.watchObjects, request);
}

function revisions({ messages }: WireStream<WatchObjectsResponse>): bigint[] {
  return messages.flatMap(({ message }) =>
    message?.$case === "event" ? [message.value.revision] : [],
  );
}

/** Waits until the stream has shown the account's present revision. */
async function caughtUp(stream: WireStream<WatchObjectsResponse>): Promise<void> {
  const { newest } = await yard.controller.context.store.read((tx) => tx.logs.accountLog(ACME));
  await until(`revision ${newest}`, () => revisions(stream).at(-1) === newest);
}

const PART = 500;

/** Changes the network so often, below the API, since over it that would take minutes. */
async function rename(id: string, count: number, rest?: () => Promise<void>): Promise<void> {
  const { store } = yard.controller.context;
  for (let done = 0; done < count; done += PART) {
    const part = Array.from({ length: Math.min(PART, count - done) }, (_, i) =>
      store.write({ by: "system:test", method: "Test", at: 0 }, async (tx) => {
        const { clusterNetworks } = tx.account(ACME);
        const row = await clusterNetworks.get(id as never);
        if (row) await clusterNetworks.update({ ...row, etag: `e${done + i}` });
      }),
    );
    await Promise.all(part);
    await rest?.();
  }
}
