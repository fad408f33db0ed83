// Who a process is on the bus: an nkey user (Ed25519). The seed stays with its owner in a 0600
// file; only the public key travels. Knows nothing of subjects or permissions.
import { createUser, fromSeed } from "@nats-io/nkeys";
import { invalidField } from "../errors.js";

export interface BusIdentity {
  /** `U…`: the public key, as nats-server's configuration names the user. */
  readonly publicKey: string;
  /** `SU…`: the private seed. A secret. */
  readonly seed: string;
}

const PUBLIC_KEY = /^U[A-Z2-7]{55}$/;

/** A new identity, drawn by the nkeys library from the system's generator. */
export function createBusIdentity(): BusIdentity {
  const user = createUser();
  return { publicKey: user.getPublicKey(), seed: new TextDecoder().decode(user.getSeed()) };
}

/** The public key that belongs to a seed; throws `invalid` when it is not a user seed. */
export function publicKeyOf(seed: string): string {
  try {
    return fromSeed(new TextEncoder().encode(seed)).getPublicKey();
  } catch {
    // The library's error could quote the seed: it is dropped on purpose.
    throw invalidField("seed", "is not an nkey user seed");
  }
}

/** Whether `text` has the shape of an nkey user's public key. */
export function isBusPublicKey(text: string): boolean {
  return PUBLIC_KEY.test(text);
}
