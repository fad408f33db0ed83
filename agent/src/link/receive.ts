// What happens to a desired state that arrives: is it ours, is it signed, does it make sense, is it
// newer than what the ledger holds. The answer is given only after the ledger is safe on disk.
import { sha256Hex } from "@railyard/lib/canonical";
import { asRailyardError } from "@railyard/lib/errors";
import { signedBytes } from "@railyard/lib/sign";
import {
  type DesiredAnswer,
  DesiredOutcome,
  SignedDesired as WireSigned,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { Acceptance, Ledger } from "../ledger.js";
import type { Desired, SignedDesired } from "../model.js";
import { decodeDesired } from "./desired.js";

export interface Receiver {
  readonly nodeId: string;
  readonly session: string;
  readonly ledger: Ledger;
  /** Checks a signature of the controller. */
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean;
}

type Outcome = readonly [DesiredOutcome, string];

const ACCEPTANCES: Record<Acceptance, Outcome> = {
  accepted: [DesiredOutcome.DESIRED_OUTCOME_ACCEPTED, ""],
  repeated: [DesiredOutcome.DESIRED_OUTCOME_ACCEPTED, "already held"],
  stale: [DesiredOutcome.DESIRED_OUTCOME_STALE, "older than what was accepted or applied here"],
  contradictory: [
    DesiredOutcome.DESIRED_OUTCOME_CONTRADICTORY,
    "the ledger holds other content under this generation",
  ],
};

export interface Received {
  readonly answer: DesiredAnswer;
  /** Whether the ledger holds something else than before. */
  readonly isNews: boolean;
}

/** Judges and stores one message. Never throws: every refusal is an answer. */
export async function receiveDesired(data: Uint8Array, to: Receiver): Promise<Received> {
  const outcome = await judged(data, to);
  const { epoch, generation } = to.ledger.reached;
  const answer = { outcome: outcome[0], epoch, generation, message: outcome[1] };
  return { answer, isNews: outcome === ACCEPTANCES.accepted };
}

async function judged(data: Uint8Array, to: Receiver): Promise<Outcome> {
  const { MALFORMED, NOT_ADDRESSED, BAD_SIGNATURE, NOT_STORED } = OUTCOMES;
  let signed: SignedDesired;
  try {
    signed = WireSigned.decode(data);
  } catch {
    // Whatever the decoder stumbled over, the sender is told the one thing that it can act on.
    return [MALFORMED, "the message does not decode"];
  }
  if (signed.nodeId !== to.nodeId || signed.session !== to.session) {
    return [NOT_ADDRESSED, "it is addressed to another node or session"];
  }
  if (!isSigned(signed, to)) return [BAD_SIGNATURE, "the signature does not verify"];
  // Sent again now and then, and not worth decoding each time.
  if (to.ledger.judge(signed) === "repeated") return ACCEPTANCES.repeated;
  let desired: Desired;
  try {
    desired = decodeDesired(signed);
  } catch (thrown) {
    return [MALFORMED, asRailyardError(thrown).message];
  }
  try {
    return ACCEPTANCES[await to.ledger.accept(signed, desired)];
  } catch (thrown) {
    return [NOT_STORED, asRailyardError(thrown).message];
  }
}

const OUTCOMES = {
  MALFORMED: DesiredOutcome.DESIRED_OUTCOME_MALFORMED,
  NOT_ADDRESSED: DesiredOutcome.DESIRED_OUTCOME_NOT_ADDRESSED,
  BAD_SIGNATURE: DesiredOutcome.DESIRED_OUTCOME_BAD_SIGNATURE,
  NOT_STORED: DesiredOutcome.DESIRED_OUTCOME_NOT_STORED,
};

function isSigned(signed: SignedDesired, { verify }: Receiver): boolean {
  const { body, signature, ...scope } = signed;
  return verify(signedBytes({ ...scope, bodyDigest: sha256Hex(body) }), signature);
}
