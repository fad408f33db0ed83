// What a node's reports change: attested instances run, absent ones give back what they held.
import { leaveHost } from "@railyard/controller/service/instance-leave";
import { afterEach, expect, test } from "vitest";
import { Agent, refusedFor, told } from "./agent.js";
import { ACCOUNT, INSTANCE, intended, plant, presence } from "./plant.js";
import { DispatchYard } from "./yard.js";

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

test("an instance runs only when the digest read back is the intended one", async () => {
  const of = await yard();
  const agent = await ready(of);
  await plant(of);
  expect(agent.heard.at(-1)?.generation).toBe(2n);
  await agent.report({ instances: presence("0".repeat(64)) });
  expect((await of.instance(INSTANCE))?.status).toBe("starting");
  await agent.report({ instances: presence(await intended(of)) });
  expect((await of.instance(INSTANCE))?.status).toBe("running");
  const rows = await of.ctx.store.read((tx) => tx.everyone.attachments.ofInstance(INSTANCE));
  expect(rows.map((row) => row.guestPciAddress)[3]).toBe("0000:13:00.0");
  const revision = await of.ctx.store.revision();
  await agent.report({ instances: presence(await intended(of)) });
  expect(await of.ctx.store.revision()).toBe(revision);
});

test("reports of a strange session, a stale epoch and another node change nothing", async () => {
  const of = await yard();
  const agent = await ready(of);
  await plant(of);
  const instances = presence(await intended(of));
  await agent.report({ instances, session: "ses-9" });
  await agent.report({ instances, epoch: 0n });
  await agent.report({ instances, nodeId: "node-other" });
  expect((await of.instance(INSTANCE))?.status).toBe("starting");
});

test("a leaving instance holds its devices until a full report has no trace of it", async () => {
  const of = await yard();
  const agent = await ready(of);
  await plant(of);
  const instances = presence(await intended(of));
  await agent.report({ instances });
  await of.write(async (tx) => {
    const instance = (await tx.everyone.instances.get(INSTANCE))!;
    const placement = await leaveHost(tx, instance);
    await tx.account(ACCOUNT).instances.update({ ...instance, status: "deleting", placement });
  });
  const held = () => of.ctx.store.read((tx) => tx.claims.ofInstance(INSTANCE));
  await agent.report({ generation: 2n });
  expect(await held()).toBeDefined();
  await agent.report({ instances });
  expect(await held()).toBeDefined();
  await agent.report({ complete: false });
  expect(await held()).toBeDefined();
  await agent.report({ residues: [{ deviceId: "nic-3", vf: 0 }] });
  expect(await held()).toBeDefined();
  await agent.report();
  expect(await held()).toBeUndefined();
  expect(await of.instance(INSTANCE)).toBeUndefined();
});

test("a step that failed flags its node until a full report is without one", async () => {
  const of = await yard();
  const agent = await ready(of);
  await plant(of);
  const failing = (reason: string) =>
    presence("").map((seen) => ({ ...seen, failedSteps: [{ step: "create-vfs", reason }] }));
  const flags = async () => (await of.node()).flags.map(({ code, message }) => [code, message]);
  await agent.report({ instances: failing("no space") });
  expect(await flags()).toEqual([["apply-failed", "create-vfs of ins-1 failed: no space"]]);
  const { at } = (await of.node()).flags[0]!;
  const revision = await of.ctx.store.revision();
  await agent.report({ instances: failing("no space") });
  expect(await of.ctx.store.revision()).toBe(revision);
  await agent.report({ instances: failing("busy") });
  expect((await of.node()).flags).toEqual([
    { code: "apply-failed", message: "create-vfs of ins-1 failed: busy", at },
  ]);
  await agent.report({ complete: false });
  expect(await flags()).toHaveLength(1);
  await agent.report({ instances: presence(await intended(of)) });
  expect(await flags()).toEqual([]);
});

test("a fabric that its node cannot read flags the node until it can", async () => {
  const of = await yard();
  const agent = await ready(of);
  const flags = async () => (await of.node()).flags.map(({ code, message }) => [code, message]);
  const message = "the fabric could not be read: ibnetdiscover hangs";
  const warnings = [{ kind: "fabric-unread", deviceId: "", message }];
  await agent.report({ complete: false, inventory: told({ warnings }) });
  expect(await flags()).toEqual([["apply-failed", message]]);
  await agent.report();
  expect(await flags()).toEqual([["apply-failed", message]]);
  await agent.report({ inventory: told() });
  expect(await flags()).toEqual([]);
});
