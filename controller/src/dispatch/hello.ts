// One Hello from bytes to bytes: decode, let the service decide, encode its word. Malformed input
// is answered, never thrown.
import type { Bus } from "@railyard/lib/bus/bus";
import { asRailyardError, refuse } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import {
  Hello,
  HelloAnswer,
  HelloRefusalReason as Reason,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { ServiceContext } from "../service/context.js";
import { type HelloRefusal, hello } from "../service/hello.js";
import { helloFrom } from "./convert.js";
import { pingSession } from "./ping.js";
import { isSignedBy } from "./signing.js";

const REASONS: Readonly<Record<HelloRefusal, Reason>> = {
  "node-not-declared": Reason.HELLO_REFUSAL_REASON_NODE_NOT_DECLARED,
  "not-enrolled": Reason.HELLO_REFUSAL_REASON_NOT_ENROLLED,
  "another-session-alive": Reason.HELLO_REFUSAL_REASON_ANOTHER_SESSION_ALIVE,
  "session-superseded": Reason.HELLO_REFUSAL_REASON_SESSION_SUPERSEDED,
  "generation-unknown": Reason.HELLO_REFUSAL_REASON_GENERATION_UNKNOWN,
  unavailable: Reason.HELLO_REFUSAL_REASON_UNAVAILABLE,
};

/** What answering a Hello needs. */
export interface Door {
  readonly ctx: ServiceContext;
  readonly bus: Bus;
  readonly signingPublicKey: string;
  readonly heartbeatMs: number;
}

export interface Answered {
  readonly answer: Uint8Array;
  /** The session that is now the node's present one. */
  readonly welcomed: string | undefined;
}

/** Never throws. */
export async function answerHello(door: Door, nodeId: NodeId, data: Uint8Array): Promise<Answered> {
  const { ctx, bus, signingPublicKey, heartbeatMs } = door;
  try {
    const message = decoded(data);
    const { accepted } = message;
    // Signed for another node it proves nothing: one lying node must not stop the cloud.
    const ours = accepted?.nodeId === nodeId && isSignedBy(signingPublicKey, accepted);
    const input = helloFrom(nodeId, message, ours);
    const ping = (node: NodeId, session: string) => pingSession(bus, node, session);
    const outcome = await hello(ctx, { ping }, input);
    if ("refused" in outcome) {
      return { answer: refusal(REASONS[outcome.refused], outcome.message), welcomed: undefined };
    }
    const { epoch } = outcome.welcome;
    const value = { epoch, heartbeatMs, leaseMs: ctx.leases.leaseMs };
    const answer = HelloAnswer.encode({ outcome: { $case: "welcome", value } }).finish();
    return { answer, welcomed: input.session };
  } catch (thrown) {
    const err = asRailyardError(thrown);
    ctx.log.warn({ nodeId, code: err.code, err: thrown }, "hello not taken");
    return { answer: troubled(err.code, err.message), welcomed: undefined };
  }
}

/** Tells the agent to come again. */
export function unavailable(message: string): Uint8Array {
  return refusal(Reason.HELLO_REFUSAL_REASON_UNAVAILABLE, message);
}

function decoded(data: Uint8Array): Hello {
  try {
    return Hello.decode(data);
  } catch (cause) {
    throw refuse("invalid", "the message does not decode", { cause });
  }
}

function troubled(code: string, message: string): Uint8Array {
  if (code === "invalid") return refusal(Reason.HELLO_REFUSAL_REASON_MALFORMED, message);
  return unavailable("the hello could not be taken");
}

function refusal(reason: Reason, message: string): Uint8Array {
  return HelloAnswer.encode({ outcome: { $case: "refusal", value: { reason, message } } }).finish();
}
