// What operators see and do: nodes with their state, cordons, keys, the layout behind attachments.

import { leasesLoop } from "@railyard/controller/loops/leases";
import {
  cordonNode,
  createJoinToken,
  getNode,
  listNodes,
  uncordonNode,
} from "@railyard/controller/service/node";
import {
  getPhysicalCluster,
  listPhysicalClusters,
} from "@railyard/controller/service/physical-cluster";
import { placedLayout } from "@railyard/controller/service/placed-layout";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { afterEach, expect, test } from "vitest";
import { Agent, refusedFor } from "./agent.js";
import { INSTANCE, intended, plant, presence } from "./plant.js";
import { call, DispatchYard } from "./yard.js";

const open: DispatchYard[] = [];

async function yard(): Promise<DispatchYard> {
  const made = await new DispatchYard().open();
  open.push(made);
  return made;
}

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function ready(of: DispatchYard): Promise<Agent> {
  const agent = new Agent(of, "ses-1");
  expect(refusedFor(await agent.hello())).toBe("welcome");
  await agent.heartbeat();
  return agent;
}

test("a node is declared, ready while heard, then suspect, then lost", async () => {
  const of = await yard();
  const listening = leasesLoop({ ctx: of.ctx, hears: () => true });
  listening.start();
  const state = async () => (await getNode(of.ctx, of.nodeId)).state;
  expect(await state()).toBe("declared");
  await ready(of);
  expect(await state()).toBe("ready");
  await of.pass(6_000);
  expect(await state()).toBe("suspect");
  await of.pass(15_000);
  expect(await state()).toBe("lost");
  await listening.stop();
});

test("a machine that is not what was declared is quarantined and says why", async () => {
  const of = await yard();
  const agent = new Agent(of, "ses-1");
  expect(refusedFor(await agent.hello({ serial: "GH9999" }))).toBe("welcome");
  const { state, node } = await getNode(of.ctx, of.nodeId);
  expect(state).toBe("quarantined");
  expect(node.mismatches).toEqual([
    { kind: "serial", rail: undefined, expected: "GH1001", seen: "GH9999" },
  ]);
});

test("nodes are listed by name, filtered, page by page", async () => {
  const of = await yard();
  const first = await listNodes(of.ctx, { filter: { leafGroup: "su1" }, limit: 3 });
  expect(first.total).toBe(5);
  const last = first.rows.at(-1)!.node;
  const after = { createdAt: 0, name: last.name, id: last.id };
  const rest = await listNodes(of.ctx, { filter: { leafGroup: "su1" }, limit: 3, after });
  const names = [...first.rows, ...rest.rows].map(({ node }) => node.name);
  expect(names).toEqual([...names].sort());
  expect(new Set(names).size).toBe(5);
  expect(rest.more).toBe(false);
  await ready(of);
  const living = await listNodes(of.ctx, { filter: { state: "ready" }, limit: 9 });
  expect(living.rows.map(({ node }) => node.id)).toEqual([of.nodeId]);
});

test("a cordoned node takes no new work, and only the etag last read may change it", async () => {
  const of = await yard();
  await ready(of);
  const { etag } = await getNode(of.ctx, of.nodeId);
  const wish = { id: of.nodeId, reason: "fan", etag };
  const cordoned = await cordonNode(of.ctx, call("CordonNode"), wish);
  expect(cordoned.node).toMatchObject({ cordoned: true, cordonReason: "fan" });
  await expect(plant(of)).rejects.toThrow(/"eligible":6/);
  const stale = uncordonNode(of.ctx, call("UncordonNode"), wish);
  await expect(stale).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
  const free = await uncordonNode(of.ctx, call("UncordonNode"), { id: of.nodeId, etag: "" });
  expect(free.node.cordoned).toBe(false);
});

test("a new key ends the session of the old one, and nobody else's key is taken", async () => {
  const of = await yard();
  await ready(of);
  const { publicKey } = createBusIdentity();
  const join = (nodeName: string, key: string) =>
    createJoinToken(of.ctx, call("CreateJoinToken"), { nodeName, publicKey: key });
  await join("wdc07-a-r01-s01", publicKey);
  const node = await of.node();
  expect([node.incarnation, node.session, node.superseded]).toEqual([2, undefined, ["ses-1"]]);
  const taken = join("wdc07-a-r01-s02", publicKey);
  await expect(taken).rejects.toMatchObject({ reason: "NODE_CREDENTIAL_TAKEN" });
  await expect(join("nowhere", createBusIdentity().publicKey)).rejects.toMatchObject({
    reason: "NODE_NOT_DECLARED",
  });
  await expect(join("wdc07-a-r01-s02", "UABC")).rejects.toMatchObject({
    reason: "NODE_CREDENTIAL_INVALID",
  });
});

test("the placed layout shows the devices behind each position, in order", async () => {
  const of = await yard();
  const agent = await ready(of);
  await plant(of);
  const { rows } = await placedLayout(of.ctx, { instanceId: INSTANCE });
  expect(
    rows.map(({ attachment, rail, nic, vf }) => [attachment.position, rail, nic.pfName, vf]),
  ).toEqual(Array.from({ length: 8 }, (_, k) => [k, k, `pf${k}`, 0]));
  expect((await placedLayout(of.ctx, { nodeId: of.nodeId })).rows).toEqual(rows);
  expect(rows.map(({ attachment }) => attachment.hostPciAddress)).toEqual(Array(8).fill(""));
  await agent.report({ instances: presence(await intended(of)) });
  const { rows: seen } = await placedLayout(of.ctx, { instanceId: INSTANCE });
  expect(seen.map(({ attachment }) => attachment.hostPciAddress)).toEqual(
    Array.from({ length: 8 }, (_, k) => `0000:${k}0:00.1`),
  );
});

test("an operator's word lifts a quarantine; what is still wrong raises it anew", async () => {
  const of = await yard();
  const agent = await ready(of);
  const [signed] = agent.heard;
  const accepted = { ...signed!, generation: 99n };
  expect(refusedFor(await agent.hello({ accepted }))).toContain("GENERATION_UNKNOWN");
  expect((await getNode(of.ctx, of.nodeId)).state).toBe("quarantined");
  await expect(plant(of)).rejects.toThrow(/"eligible":6/);
  const uncordon = () => uncordonNode(of.ctx, call("UncordonNode"), { id: of.nodeId, etag: "" });
  expect((await uncordon()).node.flags).toEqual([]);
  expect(refusedFor(await agent.hello({ accepted }))).toContain("GENERATION_UNKNOWN");
  expect((await getNode(of.ctx, of.nodeId)).state).toBe("quarantined");
  await uncordon();
  expect(refusedFor(await agent.hello({ accepted: signed }))).toBe("welcome");
  await agent.heartbeat();
  expect((await getNode(of.ctx, of.nodeId)).state).toBe("ready");
  await plant(of);
  expect((await of.instance(INSTANCE))?.placement?.nodeId).toBe(of.nodeId);
});

test("a physical cluster counts what is declared, alive, free and in use", async () => {
  const of = await yard();
  await ready(of);
  const { rows } = await listPhysicalClusters(of.ctx, { filter: {}, limit: 9 });
  expect(
    rows.map(({ cluster, nodes, ready: alive, wholeFree }) => {
      return [cluster.name, nodes, alive, wholeFree];
    }),
  ).toEqual([
    ["wdc07-hopper-a", 6, 1, 1],
    ["wdc07-hopper-b", 2, 0, 0],
  ]);
  await plant(of);
  const { id } = rows[0]!.cluster;
  expect(await getPhysicalCluster(of.ctx, id)).toMatchObject({ wholeFree: 0, networks: 1 });
});
