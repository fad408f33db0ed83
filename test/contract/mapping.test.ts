// What the contract says about how a cluster network is mapped to a physical cluster: to which one
// of several, and what becomes of its isolation id. A tenant sees nothing of it, operators see the
// counts of each cluster. Only in a yard of the suite's own, in which a profile has two of them.

import { systemClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import {
  ListPhysicalClustersRequest,
  PhysicalClusterServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import { afterEach, describe, expect, test } from "vitest";
import { Customer } from "../customer.js";
import { until } from "../until.js";
import { exampleMzone, type MzoneDocument, Yard, type YardOptions } from "../yard.js";
import { OWN_YARD } from "./target.js";

const ACME = "acme" as AccountId;
const FAILED_PRECONDITION = 9;
const COUNT = 8;
const [A, B] = ["wdc07-hopper-a", "wdc07-hopper-b"];
const B_NODE = "wdc07-b-r01-s01";
const ANY = "hopper-any";
const H200 = { profile: "gx3d-160x1792x8h200" };

let yard: Yard;
afterEach(() => yard?.close());

/** The example with a profile that runs on both of its clusters; B is declared ahead of A. */
function twoPlaces(idsOfA = 100): MzoneDocument {
  const document = exampleMzone();
  const [hopper, h200] = document.profiles.clusterNetworks;
  document.profiles.clusterNetworks.push({
    ...hopper!,
    name: ANY,
    clusterTypes: [hopper!.clusterTypes, h200!.clusterTypes].flat(),
    instanceProfiles: [...hopper!.instanceProfiles, H200.profile],
  });
  const { physicalClusters } = document.zones[0]!;
  const range = [100, 100 + idsOfA - 1];
  Object.assign(physicalClusters[0]!, { isolation: { kind: "vlan", range } });
  physicalClusters.reverse();
  return document;
}

async function open(document: MzoneDocument, how: YardOptions = {}): Promise<Customer> {
  yard = await Yard.open(how);
  await yard.applyMzone(document);
  return new Customer(await yard.tenant(ACME));
}

async function clusters() {
  const request = ListPhysicalClustersRequest.fromPartial({ pageSize: 100 });
  const { listPhysicalClusters } = PhysicalClusterServiceService;
  const { physicalClusters } = await yard.operator.call(listPhysicalClusters, request);
  return new Map(physicalClusters.map((cluster) => [cluster.name, cluster]));
}

/** Cluster networks on A and on B. */
async function networks(): Promise<(number | undefined)[]> {
  const all = await clusters();
  return [A, B].map((name) => all.get(name!)?.clusterNetworkCount);
}

async function startNode(document: MzoneDocument): Promise<void> {
  await yard.startAgent(B_NODE, document);
  await yard.ready(B_NODE);
  await until("a whole node is free", async () => (await clusters()).get(B!)?.freeNodeCount === 1);
}

describe.runIf(OWN_YARD)("a cluster network", () => {
  test("is mapped by name where clusters have as many whole nodes free", async () => {
    const customer = await open(twoPlaces());
    for (let made = 1; made <= 3; made++) {
      await customer.network({ profile: ANY });
      expect(await networks()).toEqual([made, 0]);
    }
  });

  test("is mapped where most whole nodes are free, whatever the name", async () => {
    const document = twoPlaces();
    const customer = await open(document);
    await startNode(document);
    await customer.network({ profile: ANY });
    expect(await networks()).toEqual([0, 1]);
  });

  test("is mapped elsewhere where the best cluster has no isolation id left", async () => {
    const customer = await open(twoPlaces(1));
    await customer.network({ profile: ANY });
    await customer.network({ profile: ANY });
    expect(await networks()).toEqual([1, 1]);
  });

  test("that is re-mapped leaves its isolation id in quarantine, where it rests", async () => {
    const document = twoPlaces(1);
    const quarantineMs = 3_600_000;
    const system = systemClock();
    let ahead = 0;
    const clock = { ...system, now: () => system.now() + ahead };
    const customer = await open(document, { quarantineMs, clock });
    const { id } = await customer.network({ profile: ANY });
    expect((await clusters()).get(A!)?.isolation).toMatchObject({ usedCount: 1, freeCount: 0 });
    const subnetIds = Array(COUNT).fill((await customer.subnet(id)).id);
    await customer.instance("one", subnetIds, H200);
    expect(await networks()).toEqual([0, 1]);
    const { isolation } = (await clusters()).get(A!)!;
    expect(isolation).toMatchObject({ usedCount: 0, quarantinedCount: 1, freeCount: 0 });
    // A profile that runs on A only finds none there.
    const refused = await customer.network({ profile: "hopper-1" }).catch((err: unknown) => err);
    expect(refused).toMatchObject({
      ...{ code: FAILED_PRECONDITION, reason: "CLUSTER_NETWORK_PROFILE_UNAVAILABLE" },
    });
    // What has had its rest is given back when a controller starts, and once a minute.
    ahead = quarantineMs;
    await yard.controller.stop();
    await yard.startController();
    const later = new Customer(await yard.tenant(ACME));
    await until("it has rested", () => later.network({ profile: "hopper-1" }).catch(() => false));
    expect((await clusters()).get(A!)?.isolation).toMatchObject({ usedCount: 1, freeCount: 0 });
  });
});
