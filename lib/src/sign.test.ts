// Proves that a signature holds for exactly what it covers.
import { expect, test } from "vitest";
import { systemRng } from "./rng.js";
import { createSigner, createVerifier, newSeed, type SignedScope, signedBytes } from "./sign.js";

const scope: SignedScope = {
  nodeId: "node-1",
  session: "ses-1",
  epoch: 1n,
  generation: 7n,
  bodyDigest: "ab".repeat(32),
};

test("a signature verifies with its key and with no other", () => {
  const signer = createSigner(newSeed(systemRng()));
  const other = createSigner(newSeed(systemRng()));
  const signature = signer.sign(signedBytes(scope));
  expect(createVerifier(signer.publicKey)(signedBytes(scope), signature)).toBe(true);
  expect(createVerifier(other.publicKey)(signedBytes(scope), signature)).toBe(false);
});

test("a signature covers every part of its scope", () => {
  const signer = createSigner(newSeed(systemRng()));
  const verify = createVerifier(signer.publicKey);
  const signature = signer.sign(signedBytes(scope));
  const others: SignedScope[] = [
    { ...scope, nodeId: "node-2" },
    { ...scope, session: "ses-2" },
    { ...scope, epoch: 2n },
    { ...scope, generation: 8n },
    { ...scope, bodyDigest: "cd".repeat(32) },
  ];
  for (const other of others) expect(verify(signedBytes(other), signature)).toBe(false);
  expect(verify(signedBytes(scope), signature.subarray(1))).toBe(false);
});

test("a malformed seed is refused without being quoted", () => {
  expect(() => createSigner("hunter2")).toThrow(/32 bytes/);
  expect(() => createSigner("hunter2")).not.toThrow(/hunter2/);
});
