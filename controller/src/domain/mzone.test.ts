// The mzone document: what is refused and under which path, and what a plan of two documents says.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { Mzone } from "./mzone/document.js";
import { planMzone, summaryOf } from "./mzone/plan.js";
import { checkMzone } from "./mzone.js";

const EXAMPLE = new URL("../../../deploy/mzone.example.yaml", import.meta.url);

function example(): any {
  return parse(readFileSync(EXAMPLE, "utf8"));
}

function checked(document: unknown): Mzone {
  const result = checkMzone(document);
  if (!result.ok) throw new Error(JSON.stringify(result.violations));
  return result.mzone;
}

function faultsOf(change: (document: any) => void): string[] {
  const document = example();
  change(document);
  const result = checkMzone(document);
  return result.ok ? [] : result.violations.map(({ field }) => field);
}

test("the example file is right and declares what it promises", () => {
  const mzone = checked(example());
  const servers = mzone.zones.flatMap((zone) => zone.servers);
  expect(servers.filter(({ hardware }) => hardware === "hgx-h100")).toHaveLength(6);
  expect(servers.filter(({ hardware }) => hardware === "hgx-h200")).toHaveLength(2);
  expect(mzone.profiles.instances.map(({ name }) => name)).toEqual([
    "gx3d-152x1536-8h100",
    "gx3d-160x1792x8h100",
    "gx3d-80x896x4h100",
    "gx3d-160x1792x8h200",
    "bx3d-8x40",
  ]);
});

test("the commented server of the example can be taken in as it stands", () => {
  const text = readFileSync(EXAMPLE, "utf8").replace(/^( +)# - \{name/m, "$1- {name");
  const steps = planMzone(checked(example()), checked(parse(text)));
  expect(steps.map(({ action, object }) => [action, object.name])).toEqual([
    ["create", "us-east-3/wdc07-a-r02-s04"],
  ]);
});

test("a document that is no mapping at all names every missing part", () => {
  const result = checkMzone("nothing");
  expect(result.ok ? [] : result.violations[0]).toEqual({
    field: "document",
    description: "must be a mapping",
  });
  const empty = checkMzone({});
  expect(empty.ok ? [] : empty.violations.map(({ field }) => field)).toEqual([
    "apiVersion",
    "kind",
    "metadata",
    "profiles",
    "zones",
    "hardware",
  ]);
});

test("every bad field is named at once, whatever kind of fault it is", () => {
  const faults = faultsOf((d) => {
    d.metadata.generation = 0;
    d.zones[0].servers[3].serial = "no spaces";
    d.zones[0].servers[2].colour = "green";
    delete d.zones[0].servers[1].hardware;
    d.zones[0].physicalClusters[0].isolation.range = [1, 4095];
    d.profiles.clusterNetworks[0].instanceProfiles.push("gx9");
  });
  expect(faults.sort()).toEqual([
    "metadata.generation",
    "profiles.clusterNetworks[0].instanceProfiles[3]",
    "zones[0].physicalClusters[0].isolation.range[0]",
    "zones[0].physicalClusters[0].isolation.range[1]",
    "zones[0].servers[1].hardware",
    "zones[0].servers[2].colour",
    "zones[0].servers[3].serial",
  ]);
});

test.each<[string, (d: any) => void, string]>([
  [
    "another type",
    (d) => (d.zones[0].physicalClusters[0].type = "x"),
    "profiles.clusterNetworks[0].clusterTypes[0]",
  ],
  [
    "a profile without attachments",
    (d) => d.profiles.clusterNetworks[0].instanceProfiles.push("bx3d-8x40"),
    "profiles.clusterNetworks[0].instanceProfiles[3]",
  ],
  [
    "a missing rail",
    (d) => d.zones[0].physicalClusters[0].leafGroups[0].rails.pop(),
    "zones[0].physicalClusters[0].leafGroups[0].rails",
  ],
  [
    "a leaf used twice",
    (d) => (d.zones[0].physicalClusters[0].leafGroups[1].rails[0].leaves[0] = "leaf-a01"),
    "zones[0].physicalClusters[0].leafGroups[1].rails[0].leaves[0]",
  ],
  [
    "a serial used twice",
    (d) => (d.zones[0].servers[7].serial = "GH1001"),
    "zones[0].servers[7].serial",
  ],
  [
    "a name used twice",
    (d) => (d.zones[0].servers[1].name = "wdc07-a-r01-s01"),
    "zones[0].servers[1].name",
  ],
  [
    "a name that cannot be a subject",
    (d) => (d.zones[0].servers[1].name = "a.b>*"),
    "zones[0].servers[1].name",
  ],
  [
    "an unknown leaf group",
    (d) => (d.zones[0].servers[0].leafGroup = "su9"),
    "zones[0].servers[0].leafGroup",
  ],
  [
    "an unknown cluster",
    (d) => (d.zones[0].servers[0].cluster = "c9"),
    "zones[0].servers[0].cluster",
  ],
  [
    "a pkey range over 15 bits",
    (d) => (d.zones[0].physicalClusters[0].isolation = { kind: "pkey", range: [1, 0x7fff] }),
    "zones[0].physicalClusters[0].isolation.range[1]",
  ],
  [
    "a range that ends before it starts",
    (d) => (d.zones[0].physicalClusters[0].isolation.range = [300, 200]),
    "zones[0].physicalClusters[0].isolation.range",
  ],
  [
    "a count that GPUs do not divide",
    (d) => (d.profiles.instances[0].attachments.enum = [8, 12]),
    "profiles.instances[0].attachments.enum[1]",
  ],
  [
    "a count above what an instance can have",
    (d) => (d.profiles.instances[0].attachments.enum = [8, 72]),
    "profiles.instances[0].attachments.enum[1]",
  ],
  [
    "a default that is not permitted",
    (d) => (d.profiles.instances[0].attachments.default = 9),
    "profiles.instances[0].attachments.default",
  ],
  [
    "a GPU model that no hardware has",
    (d) => (d.profiles.instances[0].gpu.model = "B200"),
    "profiles.instances[0].gpu.model",
  ],
  [
    "a subnet of no VPC",
    (d) => (d.catalog.vpcSubnets[0].vpc = "vpc-x"),
    "catalog.vpcSubnets[0].vpc",
  ],
  [
    "cabling to a strange leaf",
    (d) => (d.zones[0].servers[0].cabling = [{ rail: 0, port: 0, leaf: "leaf-b01" }]),
    "zones[0].servers[0].cabling[0].leaf",
  ],
  ["a shared IOMMU outside a lab", (d) => (d.hardware[0].iommu = "shared"), "hardware[0].iommu"],
])("%s is refused and named", (_, change, field) => {
  expect(faultsOf(change)).toContain(field);
});

test("a document planned against itself gives no step", () => {
  const mzone = checked(example());
  const steps = planMzone(mzone, checked(example()));
  expect(steps).toEqual([]);
  expect(summaryOf(steps, mzone)).toMatchObject({ created: 0, updated: 0, deleted: 0 });
});

test("a first plan creates everything, each object after what it refers to", () => {
  const steps = planMzone(undefined, checked(example()));
  expect(steps.every(({ action }) => action === "create")).toBe(true);
  const kinds = steps.map(({ object }) => object.kind);
  expect(kinds.indexOf("server")).toBeGreaterThan(kinds.lastIndexOf("leafGroup"));
  expect(kinds.indexOf("leafGroup")).toBeGreaterThan(kinds.indexOf("physicalCluster"));
});

test("a changed leaf, a removed server and a raised mtu are three steps, removal first", () => {
  const document = example();
  document.zones[0].servers.pop();
  document.zones[0].physicalClusters[0].leafGroups[0].rails[0].leaves[0] = "leaf-a99";
  document.profiles.clusterNetworks[0].mtu = 1500;
  const steps = planMzone(checked(example()), checked(document));
  expect(steps.map(({ action, object }) => `${action} ${object.name}`)).toEqual([
    "delete us-east-3/wdc07-b-r01-s02",
    "update us-east-3/wdc07-hopper-a/su1",
    "update hopper-1",
  ]);
});

const FABRIC = { name: "sm-1", serial: "SM1", role: "fabric", cluster: "wdc07-ib" };

/** The example with an InfiniBand cluster and these servers more. */
function withFabric(d: any, ...servers: object[]): void {
  const { physicalClusters } = d.zones[0];
  const isolation = { kind: "pkey", range: [1, 9] };
  const rails = [{ rail: 0, leaves: ["ib-leaf"] }];
  const leafGroups = [{ name: "g", rails }];
  physicalClusters.push({ name: "wdc07-ib", type: "ib", isolation, leafGroups });
  d.zones[0].servers.push(...servers);
}

test("a cluster isolated by partition keys has exactly one fabric server, others none", () => {
  expect(faultsOf((d) => withFabric(d, FABRIC))).toEqual([]);
  const kind = [expect.stringMatching(/physicalClusters\[\d+\]\.isolation\.kind$/)];
  expect(faultsOf((d) => withFabric(d))).toEqual(kind);
  const second = { ...FABRIC, name: "sm-2", serial: "SM2" };
  expect(faultsOf((d) => withFabric(d, FABRIC, second))).toEqual(kind);
  const astray = { ...FABRIC, cluster: "wdc07-hopper-a" };
  expect(faultsOf((d) => d.zones[0].servers.push(astray))).toEqual(kind);
});

test("a fabric server has no leaf group and no hardware, every other one has both", () => {
  const extra = { ...FABRIC, leafGroup: "g", hardware: "hgx-h100" };
  expect(faultsOf((d) => withFabric(d, extra))).toEqual([
    expect.stringMatching(/leafGroup$/),
    expect.stringMatching(/hardware$/),
  ]);
  const bare = { ...FABRIC, name: "x", serial: "X1", role: "hypervisor" };
  expect(faultsOf((d) => withFabric(d, FABRIC, bare))).toEqual([
    expect.stringMatching(/leafGroup$/),
    expect.stringMatching(/hardware$/),
  ]);
});
