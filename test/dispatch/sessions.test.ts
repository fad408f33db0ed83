// Who may speak for a node: enrolment, second sessions, takeovers, ledgers that claim too much,
// garbage.
import { signDesired } from "@railyard/controller/dispatch/signing";
import { cordonNode } from "@railyard/controller/service/node";
import { settleReadOnly } from "@railyard/controller/service/read-only";
import type { NodeId } from "@railyard/lib/ids";
import { afterEach, expect, test } from "vitest";
import { Agent, refusedFor } from "./agent.js";
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

test("an agent that is not enrolled, or whose enrolment is over, is refused", async () => {
  const of = await yard();
  const stranger = new Agent(of, "ses-1");
  expect(refusedFor(await stranger.hello({ incarnation: 2n }))).toContain("NOT_ENROLLED");
  const nowhere = new Agent(of, "ses-2", "node-unknown" as NodeId);
  expect(refusedFor(await nowhere.hello())).toContain("NODE_NOT_DECLARED");
});

test("a second live session is refused and the node is flagged; the first goes on", async () => {
  const of = await yard();
  await ready(of);
  const second = new Agent(of, "ses-2");
  expect(refusedFor(await second.hello())).toContain("ANOTHER_SESSION_ALIVE");
  const node = await of.node();
  expect(node.session).toBe("ses-1");
  expect(node.flags.map(({ code }) => code)).toEqual(["second-session"]);
});

test("a newcomer takes over from a silent session, whose late words are flagged", async () => {
  const of = await yard();
  const first = await ready(of);
  await first.die();
  expect(refusedFor(await new Agent(of, "ses-2").hello())).toBe("welcome");
  expect(await of.node()).toMatchObject({ session: "ses-2", superseded: ["ses-1"], flags: [] });
  const ghost = new Agent(of, "ses-1");
  await ghost.heartbeat();
  expect((await of.node()).flags.map(({ code }) => code)).toEqual(["superseded-session-spoke"]);
  expect(refusedFor(await ghost.hello())).toContain("SESSION_SUPERSEDED");
});

test("a ledger with a generation the store does not know quarantines its node", async () => {
  const of = await yard();
  const agent = await ready(of);
  const [signed] = agent.heard;
  const accepted = { ...signed!, generation: 99n };
  expect(refusedFor(await agent.hello({ accepted }))).toContain("GENERATION_UNKNOWN");
  expect((await of.node()).flags[0]).toMatchObject({ code: "generation-unknown" });
});

test("our own signature on an unknown generation stops all changes until accepted", async () => {
  const of = await yard();
  const agent = await ready(of);
  const { nodeId, signer } = of;
  const desired = { nodeId, epoch: 1n, generation: 99n, vfsPerNic: 16, instances: [], faults: [] };
  const cordon = () => cordonNode(of.ctx, call("Cordon"), { id: nodeId, etag: "", reason: "" });
  // Forged, or made for another node, it concerns its own node only.
  const forged = { ...signDesired(signer, "ses-0", desired), generation: 98n };
  await agent.hello({ accepted: forged });
  const other = { ...desired, nodeId: "node-other" as NodeId };
  await agent.hello({ accepted: signDesired(signer, "ses-0", other) });
  await expect(cordon()).resolves.toBeDefined();

  const accepted = signDesired(signer, "ses-0", desired);
  expect(refusedFor(await agent.hello({ accepted }))).toContain("GENERATION_UNKNOWN");
  const refused = { code: "unavailable", reason: "STORE_READ_ONLY" };
  await expect(cordon()).rejects.toMatchObject(refused);
  await settleReadOnly(of.ctx, false);
  await expect(cordon()).rejects.toMatchObject(refused);

  await settleReadOnly(of.ctx, true);
  await expect(cordon()).resolves.toBeDefined();
  await agent.hello({ accepted });
  await expect(cordon()).resolves.toBeDefined();
  await settleReadOnly(of.ctx, false);
  await agent.hello({ accepted });
  await expect(cordon()).rejects.toMatchObject(refused);
});

test("garbage on every subject is answered or dropped and stops nothing", async () => {
  const of = await yard();
  const agent = new Agent(of, "ses-1");
  const garbage = Uint8Array.from([255, 255, 255, 1, 2, 3]);
  expect(refusedFor(await agent.ask(garbage))).toContain("MALFORMED");
  await agent.say("heartbeat", garbage);
  await agent.say("report", garbage);
  expect(refusedFor(await agent.hello({ nodeId: "node-else" }))).toContain("MALFORMED");
  expect(refusedFor(await agent.hello())).toBe("welcome");
});
