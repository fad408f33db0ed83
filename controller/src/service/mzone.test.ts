// Applying mzone documents to a real store: what is written, what is refused, and nothing halfway.
import { readFileSync } from "node:fs";
import { ManualClock } from "@railyard/lib/clock";
import type { AccountId, ClusterNetworkId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { openSqlite } from "../store/sqlite.js";
import type { Mutation, ServiceContext } from "./context.js";
import { Leases } from "./leases.js";
import { type AppliedMzone, applyMzone, exportMzone, validateMzone } from "./mzone.js";

const EXAMPLE = new URL("../../../deploy/mzone.example.yaml", import.meta.url);

function example(change: (document: any) => void = () => undefined): any {
  const document = parse(readFileSync(EXAMPLE, "utf8"));
  change(document);
  return document;
}

async function context(): Promise<ServiceContext> {
  const clock = new ManualClock();
  const log = silentLog();
  const onFatal = (err: unknown) => {
    throw err;
  };
  return {
    store: await openSqlite({ path: ":memory:", clock, log, onFatal }),
    clock,
    rng: seededRng("mzone"),
    log,
    catalog: { get: async () => undefined },
    leases: new Leases(clock, 5_000),
    nudgeRelay: () => undefined,
    nudgeEnrolment: () => undefined,
    settings: { region: "us-east", quarantineMs: 1_000 },
  };
}

function call(validateOnly = false): Mutation<AppliedMzone, AppliedMzone> {
  return {
    principal: { id: "tok-op", account: undefined, roles: ["release-engineer"] },
    method: "ApplyMzone",
    requestId: undefined,
    requestHash: "",
    validateOnly,
    answer: (value) => value,
    encode: () => new Uint8Array(),
    decode: () => {
      throw new Error("not repeated here");
    },
  };
}

async function refusal(promise: Promise<unknown>): Promise<{ reason: string; fields: string[] }> {
  const err: any = await promise.then(
    () => ({}),
    (thrown) => thrown,
  );
  return { reason: err.reason, fields: err.parts?.fields?.map((f: any) => f.field) };
}

async function plantNetwork(ctx: ServiceContext, isolationId: number): Promise<void> {
  await ctx.store.write({ by: "system:test", method: "plant", at: 1 }, async (tx) => {
    const [cluster] = await tx.physicalClusters.all();
    const account = "acc-1" as AccountId;
    await tx.account(account).clusterNetworks.insert({
      id: "cn-1" as ClusterNetworkId,
      account,
      createdAt: 1,
      etag: "e",
      lifecycleState: "stable",
      lifecycleReasons: [],
      name: "n",
      profile: "hopper-1",
      vpcId: "vpc-research",
      zone: "us-east-3",
      resourceGroupId: "",
      prefix: { first: 0x0a000000, prefix: 9 },
      physicalClusterId: cluster!.id,
      isolation: { kind: "vlan", id: isolationId },
    });
  });
}

test("applying the example creates everything; applying it again changes nothing", async () => {
  const ctx = await context();
  const first = await applyMzone(ctx, call(), example());
  expect(first.summary).toMatchObject({ updated: 0, deleted: 0, unchanged: 0 });
  const seen = await ctx.store.read(async (tx) => ({
    nodes: await tx.nodes.all(),
    clusters: await tx.physicalClusters.all(),
    pending: await tx.outbox.pending(),
    profile: await tx.profiles.instance("gx3d-152x1536-8h100"),
    image: await tx.catalog.get("image", "img-ubuntu-24-04", "acc-x" as AccountId),
  }));
  expect(seen.nodes).toHaveLength(8);
  expect(seen.clusters.map(({ name, leafGroups }) => [name, leafGroups.length])).toEqual([
    ["wdc07-hopper-a", 2],
    ["wdc07-hopper-b", 1],
  ]);
  expect(seen.pending).toHaveLength(8);
  expect(seen.profile?.attachments).toEqual({ kind: "enum", values: [8, 16, 32], default: 8 });
  expect(seen.image?.name).toBe("ubuntu-24-04-x86-64");
  const revision = await ctx.store.revision();
  const second = await applyMzone(ctx, call(), example());
  expect(second.steps).toEqual([]);
  const logged = await ctx.store.read((tx) => tx.logs.changesAfter(revision, 9));
  expect(logged.map(({ entries }) => entries)).toEqual([[]]);
});

test("what is exported can be applied again and is what was applied", async () => {
  const ctx = await context();
  await applyMzone(ctx, call(), example());
  const exported = JSON.parse(await exportMzone(ctx, ""));
  expect(exported).toEqual(example());
  expect((await validateMzone(ctx, exported)).steps).toEqual([]);
});

test("validate_only writes nothing", async () => {
  const ctx = await context();
  const answer = await applyMzone(ctx, call(true), example());
  expect(answer.summary.created).toBeGreaterThan(0);
  expect(await ctx.store.read((tx) => tx.nodes.all())).toEqual([]);
});

test("a bad document writes nothing and names every bad field", async () => {
  const ctx = await context();
  const bad = example((d) => {
    d.zones[0].servers[3].serial = "";
    d.zones[0].servers[4].leafGroup = "su9";
    d.metadata.generation = "x";
  });
  expect(await refusal(applyMzone(ctx, call(), bad))).toEqual({
    reason: "MZONE_INVALID",
    fields: ["metadata.generation", "zones[0].servers[3].serial", "zones[0].servers[4].leafGroup"],
  });
  expect(await ctx.store.read((tx) => tx.nodes.all())).toEqual([]);
});

test("a lower generation is refused", async () => {
  const ctx = await context();
  await applyMzone(
    ctx,
    call(),
    example((d) => Object.assign(d.metadata, { generation: 7 })),
  );
  const older = applyMzone(
    ctx,
    call(),
    example((d) => Object.assign(d.metadata, { generation: 6 })),
  );
  expect(await refusal(older)).toEqual({
    reason: "MZONE_GENERATION_OLD",
    fields: ["metadata.generation"],
  });
});

test("a server is added, changed and removed by editing the file", async () => {
  const ctx = await context();
  await applyMzone(ctx, call(), example());
  const names = () => ctx.store.read(async (tx) => (await tx.nodes.all()).map(({ name }) => name));
  const more = example((d) => {
    const like = d.zones[0].servers[0];
    d.zones[0].servers.push({ ...like, name: "wdc07-a-r02-s04", serial: "GH1007" });
  });
  await applyMzone(ctx, call(), more);
  expect(await names()).toContain("wdc07-a-r02-s04");
  await applyMzone(
    ctx,
    call(),
    example((d) => (d.zones[0].servers[0].leafGroup = "su2")),
  );
  expect(await names()).not.toContain("wdc07-a-r02-s04");
  const moved = await ctx.store.read((tx) => tx.nodes.byName("wdc07-a-r01-s01"));
  expect(moved?.leafGroup).toBe("su2");
});

test("a serial can go on under another name in the same document", async () => {
  const ctx = await context();
  await applyMzone(ctx, call(), example());
  await applyMzone(
    ctx,
    call(),
    example((d) => (d.zones[0].servers[0].name = "renamed")),
  );
  const node = await ctx.store.read((tx) => tx.nodes.byName("renamed"));
  expect(node?.serial).toBe("GH1001");
});

test("what networks use cannot be removed or altered, and every such field is named", async () => {
  const ctx = await context();
  await applyMzone(ctx, call(), example());
  await plantNetwork(ctx, 3_000);
  const before = await ctx.store.revision();
  const hurting = example((d) => {
    d.profiles.clusterNetworks[0].mtu = 1_500;
    d.zones[0].physicalClusters[0].isolation.range = [100, 2_000];
    d.catalog.vpcs.shift();
    d.catalog.vpcSubnets.shift();
  });
  expect(await refusal(applyMzone(ctx, call(), hurting))).toEqual({
    reason: "MZONE_OBJECT_IN_USE",
    fields: expect.arrayContaining([
      "profiles.clusterNetworks[0].mtu",
      "zones[0].physicalClusters[0].isolation.range",
      "catalog.vpcs",
    ]),
  });
  expect(await ctx.store.revision()).toBe(before);
  const harmless = example((d) => {
    d.zones[0].physicalClusters[0].isolation.range = [100, 3_500];
    d.zones[0].physicalClusters[0].enabled = false;
    d.profiles.clusterNetworks[0].instanceProfiles.push("gx3d-160x1792x8h200");
  });
  expect((await applyMzone(ctx, call(), harmless)).summary.updated).toBe(2);
});
