// Desired states under the controller's signature: signed here for one session, and recognised here
// when an agent shows its last one.
import { sha256Hex } from "@railyard/lib/canonical";
import { createVerifier, type Signer, signedBytes } from "@railyard/lib/sign";
import type { SignedDesired } from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { DesiredNode } from "../domain/desired.js";
import { encodeDesired } from "./convert.js";

/** The message that carries a node's desired state to one session. */
export function signDesired(signer: Signer, session: string, desired: DesiredNode): SignedDesired {
  const { nodeId, epoch, generation } = desired;
  const body = Buffer.from(encodeDesired(desired));
  const scope = { nodeId, session, epoch, generation, bodyDigest: sha256Hex(body) };
  const signature = Buffer.from(signer.sign(signedBytes(scope)));
  return { nodeId, session, epoch, generation, body, signature };
}

/** Whether this key signed exactly this desired state, for whichever session. */
export function isSignedBy(publicKey: string, message: SignedDesired): boolean {
  const { body, signature, ...scope } = message;
  const bytes = signedBytes({ ...scope, bodyDigest: sha256Hex(body) });
  return createVerifier(publicKey)(bytes, signature);
}
