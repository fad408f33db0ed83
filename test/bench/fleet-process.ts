// Made-up agents in a process of their own, all behind one connection of a real broker: signs of
// life at a steady rate, and a yes to every desired state. They own no machine and report nothing.
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
/** What each node has accepted; 0: nothing. */
const accepted = new Map<string, bigint>();

async function start({ server }: { server: string }): Promise<void> {
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
  accepted.set(nodeId, generation);
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
    for (; sent < due; sent++) beatOnce(sent % nodes);
  }, TICK_MS);
}

function beatOnce(at: number): void {
  const nodeId = idOf(at);
  const acceptedGeneration = accepted.get(nodeId) ?? 0n;
  const said = {
    epoch: 1n,
    acceptedGeneration,
    appliedGeneration: 0n,
    digest: DIGEST,
    bootId: BOOT,
  };
  const pulse = Heartbeat.encode({ nodeId, session: sessionOf(at), ...said }).finish();
  bus.publish(upSubject(nodeId, "heartbeat"), pulse);
}

/** Ends it; how many were sent. */
async function rest(): Promise<number> {
  clearInterval(beating);
  await bus.flush();
  return sent;
}

serve({ start, beat, rest });
