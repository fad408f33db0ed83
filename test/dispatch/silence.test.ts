// Silent nodes: what is written down about them, what it means for their instances, and when nobody
// is condemned.
import { leasesLoop } from "@railyard/controller/loops/leases";
import { stopInstance } from "@railyard/controller/service/instance";
import { rebootInstance } from "@railyard/controller/service/instance-reboot";
import { createJoinToken, getNode } from "@railyard/controller/service/node";
import { fenceNode } from "@railyard/controller/service/node-fence";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import type { NodeId } from "@railyard/lib/ids";
import type { Loop } from "@railyard/lib/loop";
import { afterEach, expect, test } from "vitest";
import { Agent, refusedFor } from "./agent.js";
import { ACCOUNT, INSTANCE, intended, plant, presence } from "./plant.js";
import { call, DispatchYard } from "./yard.js";

const LEASE_MS = 5_000;

let of: DispatchYard;
let hears = true;
const loops: Loop[] = [];

afterEach(async () => {
  for (const loop of loops.splice(0)) await loop.stop();
  hears = true;
  await of.close();
});

async function listening(): Promise<Agent> {
  const agent = await deaf();
  listen();
  await agent.heartbeat();
  return agent;
}

/** A yard whose controller does not judge yet. */
async function deaf(): Promise<Agent> {
  of = await new DispatchYard().open();
  const agent = new Agent(of, "ses-1");
  expect(refusedFor(await agent.hello())).toBe("welcome");
  await agent.heartbeat();
  return agent;
}

function listen(): void {
  const loop = leasesLoop({ ctx: of.ctx, hears: () => hears });
  loops.push(loop);
  loop.start();
}

/** Time passes in steps that are shorter than a lease, so that the loop does not oversleep. */
async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 1_000) await of.pass(1_000);
}

const health = async () => {
  const { status, healthState, healthReasons } = (await of.instance(INSTANCE))!;
  return [status, healthState, ...healthReasons.map(({ code }) => code)];
};

test("an instance is faulted while its node is silent and well again once attested", async () => {
  const agent = await listening();
  await plant(of);
  const instances = presence(await intended(of));
  await agent.report({ instances });
  expect(await health()).toEqual(["running", "ok"]);

  await pass(LEASE_MS + 1_500);
  expect((await of.node()).silence).toMatchObject({ state: "suspect" });
  expect(await health()).toEqual(["running", "faulted", "host_silent"]);
  await pass(3 * LEASE_MS);
  expect((await of.node()).silence).toMatchObject({ state: "lost" });
  expect(await health()).toEqual(["running", "faulted", "host_silent"]);

  await agent.heartbeat();
  await pass(1_000);
  expect((await of.node()).silence).toBeUndefined();
  await agent.report({ instances: presence("0".repeat(64)) });
  expect(await health()).toEqual(["running", "degraded", "layout_mismatch"]);
  await agent.report({ instances });
  expect(await health()).toEqual(["running", "ok"]);
});

test("an instance that was starting is only unjudged again when its node is heard", async () => {
  const agent = await listening();
  await plant(of);
  await pass(LEASE_MS + 1_500);
  expect(await health()).toEqual(["starting", "faulted", "host_silent"]);
  await agent.heartbeat();
  await agent.report();
  expect(await health()).toEqual(["starting", "inapplicable"]);
});

test("on a silent host nothing reboots, and what stops stays faulted until heard", async () => {
  const agent = await listening();
  await plant(of);
  await agent.report({ instances: presence(await intended(of)) });
  await pass(4 * LEASE_MS);
  const { generation } = await of.node();
  const tenant = { account: ACCOUNT, principal: { id: "tok-1", account: ACCOUNT, roles: [] } };
  const input = { id: INSTANCE, etag: "", force: false };
  const reboot = rebootInstance(of.ctx, { ...call("Reboot"), ...tenant }, input);
  await expect(reboot).rejects.toMatchObject({ reason: "INSTANCE_HOST_LOST" });
  expect(await health()).toEqual(["running", "faulted", "host_silent"]);
  expect((await of.node()).generation).toBe(generation);

  await stopInstance(of.ctx, { ...call("Stop"), ...tenant }, input);
  expect(await health()).toEqual(["stopping", "faulted", "host_silent"]);
  await agent.heartbeat();
  await pass(1_000);
  expect(await health()).toEqual(["stopping", "inapplicable"]);
  await pass(LEASE_MS + 2_000);
  expect(await health()).toEqual(["stopping", "faulted", "host_silent"]);
  await fence();
  expect(await health()).toEqual(["stopped", "inapplicable"]);
});

test("a controller condemns nobody before it has listened for a lease", async () => {
  await deaf();
  await of.pass(60_000);
  listen();
  await pass(LEASE_MS - 2_000);
  expect((await of.node()).silence).toBeUndefined();
  await pass(4_000);
  expect((await of.node()).silence).toMatchObject({ state: "suspect" });
});

test("nobody is condemned while the bus is down", async () => {
  await listening();
  hears = false;
  await pass(4 * LEASE_MS);
  expect((await of.node()).silence).toBeUndefined();
});

test("what was written down about a lost node outlives a restart of the controller", async () => {
  await listening();
  await pass(4 * LEASE_MS);
  expect((await of.node()).silence).toMatchObject({ state: "lost" });
  of.ctx.leases.forget(of.nodeId);
  listen();
  await pass(LEASE_MS + 2_000);
  expect((await getNode(of.ctx, of.nodeId)).state).toBe("lost");
});

async function joined(name: string, serial: string): Promise<Agent> {
  const { publicKey } = createBusIdentity();
  const input = { nodeName: name, publicKey };
  const { node } = await createJoinToken(of.ctx, call("CreateJoinToken"), input);
  const agent = new Agent(of, `ses-${name}`, node.id);
  expect(refusedFor(await agent.hello({ serial }))).toBe("welcome");
  await agent.heartbeat();
  return agent;
}

test("when most nodes fall silent at once none of them is condemned", async () => {
  const first = await listening();
  const second = await joined("wdc07-a-r01-s02", "GH1002");
  const third = await joined("wdc07-a-r01-s03", "GH1003");
  const silent = async () => {
    const nodes = await of.ctx.store.read((tx) => tx.nodes.all());
    return nodes.filter(({ silence }) => silence).map(({ id }) => id);
  };
  await pass(4 * LEASE_MS);
  expect(await silent()).toEqual([]);

  for (const agent of [first, second]) await agent.heartbeat();
  await pass(2_000);
  expect(await silent()).toEqual([third.nodeId]);
});

const fence = (over: object = {}) =>
  fenceNode(of.ctx, call("FenceNode"), {
    id: of.nodeId,
    etag: "",
    method: "operator-word",
    reason: "pulled its power cords",
    ...over,
  });

test("a node that is heard, or was not listened for, cannot be fenced by a word", async () => {
  const agent = await listening();
  const missing = { code: "precondition", reason: "NODE_FENCE_PROOF_MISSING" };
  await expect(fence()).rejects.toMatchObject(missing);
  await expect(fence({ reason: " " })).rejects.toMatchObject({ code: "invalid" });
  await expect(fence({ id: "node-none" as NodeId })).rejects.toMatchObject({ code: "notFound" });
  await pass(LEASE_MS + 2_000);
  await expect(fence({ method: "other" })).rejects.toMatchObject(missing);
  await expect(fence({ etag: "old" })).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
  const { node, state } = await fence();
  expect([state, node.fence?.reason]).toEqual(["fenced", "pulled its power cords"]);
  await expect(fence()).rejects.toMatchObject({ reason: "NODE_ALREADY_FENCED" });
  await agent.heartbeat();
  expect((await getNode(of.ctx, of.nodeId)).state).toBe("returning");
});

test("a fence ends with a full report of its generation without any trace of work", async () => {
  const agent = await listening();
  await plant(of);
  const instances = presence(await intended(of));
  await agent.report({ instances });
  const { generation: before } = await of.node();
  await pass(LEASE_MS + 2_000);
  await fence();
  // No other node is alive: the instance waits for room, and its old devices for a report.
  expect(await of.instance(INSTANCE)).toMatchObject({ status: "failed", startable: true });
  const fenced = async () => (await of.node()).fence !== undefined;
  await agent.heartbeat();
  await agent.report({ generation: before });
  await agent.report({ instances });
  await agent.report({ complete: false });
  await agent.report({ residues: [{ deviceId: "nic-3", vf: 0 }] });
  expect(await fenced()).toBe(true);
  await agent.report();
  expect(await fenced()).toBe(false);
  expect((await getNode(of.ctx, of.nodeId)).state).toBe("ready");
});
