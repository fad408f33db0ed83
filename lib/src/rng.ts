// Chance comes in through here and nowhere else. A seeded generator gives the same values for the
// same seed, so a whole yard can be replayed. This file must know nothing of what the values are
// used for.
import { hash, randomBytes } from "node:crypto";

export interface Rng {
  /** `n` random bytes. */
  bytes(n: number): Uint8Array;
  /** A whole number, 0 ≤ value < `below`; `below` is 1 … 2^32. */
  int(below: number): number;
  /** An independent generator for `label`; drawing from one never changes the other. */
  fork(label: string): Rng;
}

const UINT32 = 2 ** 32;

/** The operating system's generator: unpredictable, fit for keys and tokens. */
export function systemRng(): Rng {
  const bytes = (n: number) => new Uint8Array(randomBytes(n));
  const uint32 = () => randomBytes(4).readUInt32BE();
  return { bytes, int: (below) => intBelow(uint32, below), fork: () => systemRng() };
}

const SEED_BYTES = 32;
const COUNTER_AT = SEED_BYTES;

/**
 * A repeatable generator: SHA-512 over (the seed's SHA-256, counter). As unpredictable as its seed.
 */
export function seededRng(seed: Uint8Array | string): Rng {
  const key = hash("sha256", seed, "buffer");
  const numbered = Buffer.alloc(COUNTER_AT + 8);
  key.copy(numbered);
  let counter = 0n;
  let block = key.subarray(0, 0);
  let used = 0;
  const more = () => {
    numbered.writeBigUInt64BE(counter++, COUNTER_AT);
    block = hash("sha512", numbered, "buffer");
    used = 0;
  };
  const bytes = (n: number) => {
    const out = new Uint8Array(n);
    for (let at = 0; at < n; ) {
      if (used === block.length) more();
      const end = Math.min(n, at + block.length - used);
      while (at < end) out[at++] = block[used++] as number;
    }
    return out;
  };
  const uint32 = () => bytes(4).reduce((sum, byte) => sum * 256 + byte, 0);
  const fork = (label: string) =>
    seededRng(hash("sha256", Buffer.concat([key, Buffer.from(`fork\0${label}`)]), "buffer"));
  return { bytes, int: (below) => intBelow(uint32, below), fork };
}

/** Draws again rather than take a remainder, so that every value is equally likely. */
function intBelow(uint32: () => number, below: number): number {
  const limit = UINT32 - (UINT32 % below);
  for (;;) {
    const value = uint32();
    if (value < limit) return value % below;
  }
}
