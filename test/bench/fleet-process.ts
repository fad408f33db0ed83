// Made-up agents in a process of their own, all behind one connection of a real broker: signs of
// life at a steady rate, and a yes to every desired state. They own no machine and report nothing.

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { nodeDigest } from "@railyard/lib/attest";
import {
  DesiredAnswer,
  DesiredOutcome,
  Heartbeat,
  SignedDesired,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import { desiredSubject, upSubject } from "@railyard/proto/subjects";
import { idOf, sessionOf } from "./nodes.js";
import { serve } from "./remote.js";

const TICK_MS = 10;
const BOOT = "boot";
/** Of a machine without instances. What was accepted is never applied, so it stays. */
const DIGEST = nodeDigest(new Map());

let bus: NatsConnection;
let beating: NodeJS.Timeout | undefined;
let sent = 0;

/** What an agent knows of itself. */
interface Agent {
  readonly nodeId: string;
  readonly session: string;
  readonly subject: string;
  /** 0: nothing. */
  accepted: bigint;
}

const agents: Agent[] = [];
const byNode = new Map<string, Agent>();
/** Empty after each message; a writer of its own for each costs more than what is written. */
const writer = new BinaryWriter();

async function start({ server, nodes }: { server: string; nodes: number }): Promise<void> {
  for (let at = 0; at < nodes; at++) {
    const nodeId = idOf(at);
    const subject = upSubject(nodeId, "heartbeat");
    const agent = { nodeId, session: sessionOf(at), subject, accepted: 0n };
    agents.push(agent);
    byNode.set(nodeId, agent);
  }
  bus = await connect({ servers: server, name: "agents" });
  bus.subscribe(desiredSubject("any", "any").replaceAll("any", "*"), {
    callback: (err, message) => {
      if (!err) message.respond(accept(message.data));
    },
  });
  await bus.flush();
}

function accept(data: Uint8Array): Uint8Array {
  const { nodeId, generation, epoch } = SignedDesired.decode(data);
  const agent = byNode.get(nodeId);
  if (agent) agent.accepted = generation;
  const outcome = DesiredOutcome.DESIRED_OUTCOME_ACCEPTED;
  const answer = DesiredAnswer.fromPartial({ outcome, epoch, generation });
  return DesiredAnswer.encode(answer).finish();
}

/** From now on `perSecond` signs of life, node after node. */
function beat({ nodes, perSecond }: { nodes: number; perSecond: number }): void {
  const begun = performance.now();
  sent = 0;
  beating = setInterval(() => {
    const due = ((performance.now() - begun) / 1_000) * perSecond;
    for (; sent < due; sent++) beatOnce(agents[sent % nodes] as Agent);
  }, TICK_MS);
}

function beatOnce({ nodeId, session, subject, accepted }: Agent): void {
  const said = { epoch: 1n, acceptedGeneration: accepted, appliedGeneration: 0n, digest: DIGEST };
  const pulse = Heartbeat.encode({ nodeId, session, bootId: BOOT, ...said }, writer).finish();
  bus.publish(subject, pulse);
}

/** Ends it; how many were sent. */
async function rest(): Promise<number> {
  clearInterval(beating);
  await bus.flush();
  return sent;
}

serve({ start, beat, rest });
