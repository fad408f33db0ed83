// Desired states on their way to a node: signed, repeated until accepted, found again when missed.
import { isSignedBy } from "@railyard/controller/dispatch/signing";
import { nodesBehind } from "@railyard/controller/loops/resync";
import { nodeDigest } from "@railyard/lib/attest";
import { DesiredOutcome, DesiredState } from "@railyard/proto/gen/railyard/agent/v1/agent";
import { afterEach, expect, test } from "vitest";
import { Agent, refusedFor } from "./agent.js";
import { plant } from "./plant.js";
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

test("a welcomed session gets the signed desired state; acceptance clears the outbox", async () => {
  const of = await yard();
  const agent = await ready(of);
  const [signed] = agent.heard;
  expect(signed).toMatchObject({ nodeId: of.nodeId, session: "ses-1", epoch: 1n, generation: 1n });
  expect(isSignedBy(of.signer.publicKey, signed!)).toBe(true);
  expect(isSignedBy(of.signer.publicKey, { ...signed!, generation: 2n })).toBe(false);
  expect(DesiredState.decode(signed!.body)).toEqual({
    vfsPerNic: 16,
    instances: [],
    faults: [],
    partitions: [],
  });
  const pending = await of.ctx.store.read((tx) => tx.outbox.pending());
  expect(pending.map(({ nodeId }) => nodeId)).not.toContain(of.nodeId);
  expect(await of.node()).toMatchObject({ acceptedGeneration: 1n, mismatches: [] });
});

test("the same generation has the same bytes whenever it is sent", async () => {
  const of = await yard();
  const agent = await ready(of);
  await plant(of);
  of.relay.wake(of.nodeId);
  await of.pass();
  const newest = agent.heard.filter(({ generation }) => generation === 2n);
  expect(newest.length).toBeGreaterThan(1);
  expect(newest[0]!.body.equals(newest[1]!.body)).toBe(true);
});

test("an unanswered desired state is sent again, each time after the named point", async () => {
  const of = await yard();
  const agent = new Agent(of, "ses-1");
  agent.answers = "silence";
  await agent.hello();
  await of.pass(20_000);
  expect(agent.heard.length).toBeGreaterThan(1);
  expect(of.points.length).toBeGreaterThanOrEqual(agent.heard.length);
  agent.answers = DesiredOutcome.DESIRED_OUTCOME_ACCEPTED;
  await of.pass(20_000);
  expect((await of.node()).acceptedGeneration).toBe(1n);
});

test("a welcomed session is not kept waiting for the answer of the one before it", async () => {
  const of = await yard();
  const first = await ready(of);
  first.answers = "silence";
  await plant(of);
  expect(first.heard.at(-1)?.generation).toBe(2n);
  await first.die();
  const second = new Agent(of, "ses-2");
  const before = of.clock.monotonic();
  expect(refusedFor(await second.hello())).toBe("welcome");
  expect(second.heard.map(({ generation }) => generation)).toEqual([2n]);
  expect((await of.node()).acceptedGeneration).toBe(2n);
  expect(of.clock.monotonic() - before).toBeLessThan(2_000);
});

test("what was under way when the bus was lost is sent again at once", async () => {
  const of = await yard();
  const agent = await ready(of);
  agent.answers = "silence";
  await plant(of);
  of.broker.setUp(false);
  agent.answers = DesiredOutcome.DESIRED_OUTCOME_ACCEPTED;
  of.broker.setUp(true);
  await of.pass();
  expect((await of.node()).acceptedGeneration).toBe(2n);
});

test("a node that is being sent to is not asked for a second time", async () => {
  const of = await yard();
  const agent = await ready(of);
  agent.answers = "silence";
  await plant(of);
  const sent = agent.heard.length;
  await agent.heartbeat({ acceptedGeneration: 1n, appliedGeneration: 1n });
  expect(await nodesBehind(of.ctx)).toEqual([]);
  of.relay.wake(of.nodeId);
  await of.pass();
  expect(agent.heard).toHaveLength(sent);
});

test("an agent that finds a desired state contradictory puts a flag on its node", async () => {
  const of = await yard();
  const agent = new Agent(of, "ses-1");
  agent.answers = DesiredOutcome.DESIRED_OUTCOME_CONTRADICTORY;
  await agent.hello();
  expect((await of.node()).flags.map(({ code }) => code)).toEqual(["contradictory-desired"]);
});

test("resync finds nodes whose heartbeat is not what was intended", async () => {
  const of = await yard();
  const agent = await ready(of);
  const empty = { acceptedGeneration: 1n, appliedGeneration: 1n, digest: nodeDigest(new Map()) };
  await agent.heartbeat(empty);
  expect(await nodesBehind(of.ctx)).toEqual([]);
  await agent.heartbeat({ ...empty, digest: "d" });
  expect(await nodesBehind(of.ctx)).toEqual([of.nodeId]);
  await agent.heartbeat({ ...empty, acceptedGeneration: 0n });
  expect(await nodesBehind(of.ctx)).toEqual([of.nodeId]);
  await of.pass(60_000);
  expect(await nodesBehind(of.ctx)).toEqual([]);
});
