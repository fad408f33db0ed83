// Ed25519 signatures over desired states and console tickets: the controller signs, agents check,
// and the controller later recognises its own. Keys are raw 32-byte values in base64url; this file
// knows no message formats.
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import { invalidField } from "./errors.js";
import type { Rng } from "./rng.js";

/** DER headers of RFC 8410 that precede a raw Ed25519 key. */
const PKCS8_HEADER = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_HEADER = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;

export interface Signer {
  /** base64url of the raw 32-byte public key. */
  readonly publicKey: string;
  sign(message: Uint8Array): Uint8Array;
}

/** A new private seed, base64url. A secret: keep it in a 0600 file. */
export function newSeed(rng: Rng): string {
  return Buffer.from(rng.bytes(KEY_BYTES)).toString("base64url");
}

/** A signer from its seed. Throws `invalid` when the seed is not 32 bytes of base64url. */
export function createSigner(seed: string): Signer {
  const raw = rawKey(seed, "signing seed");
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_HEADER, raw]),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: Buffer.from(spki).subarray(SPKI_HEADER.length).toString("base64url"),
    sign: (message) => new Uint8Array(signBytes(null, message, key)),
  };
}

/** A check against one public key; a malformed signature is simply not valid. */
export function createVerifier(
  publicKey: string,
): (message: Uint8Array, signature: Uint8Array) => boolean {
  const key: KeyObject = createPublicKey({
    key: Buffer.concat([SPKI_HEADER, rawKey(publicKey, "public key")]),
    format: "der",
    type: "spki",
  });
  return (message, signature) =>
    signature.length === 64 && verifyBytes(null, message, key, signature);
}

/** What a signature of a desired state covers. */
export interface SignedScope {
  readonly nodeId: string;
  readonly session: string;
  readonly epoch: bigint;
  readonly generation: bigint;
  /** SHA-256 of the desired body's bytes, lower-case hexadecimal. */
  readonly bodyDigest: string;
}

/** The bytes that are signed for one desired state. */
export function signedBytes(scope: SignedScope): Uint8Array {
  const { nodeId, session, epoch, generation, bodyDigest } = scope;
  return Buffer.from(
    ["railyard-desired-v1", nodeId, session, epoch, generation, bodyDigest].join("\n"),
  );
}

/** The bytes that are signed for one console ticket; `bodyDigest` as in a desired state's scope. */
export function consoleTicketBytes(bodyDigest: string): Uint8Array {
  return Buffer.from(["railyard-console-v1", bodyDigest].join("\n"));
}

function rawKey(text: string, field: string): Buffer {
  const raw = Buffer.from(text, "base64url");
  if (raw.length !== KEY_BYTES) throw invalidField(field, "must be 32 bytes of base64url");
  return raw;
}
