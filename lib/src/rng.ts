// Chance comes in through here and nowhere else. A seeded generator gives the same values for the
// same seed, so a whole yard can be replayed. This file must know nothing of what the values are
// used for.
import { createHash, randomBytes } from "node:crypto";

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
  return { bytes, int: (below) => intBelow(bytes, below), fork: () => systemRng() };
}

/** A repeatable generator: SHA-256 over (seed, counter). As unpredictable as its seed. */
export function seededRng(seed: Uint8Array | string): Rng {
  const key = createHash("sha256").update(seed).digest();
  let counter = 0;
  let pool: Buffer = Buffer.alloc(0);
  const bytes = (n: number): Uint8Array => {
    while (pool.length < n) pool = Buffer.concat([pool, block(key, counter++)]);
    const out = new Uint8Array(pool.subarray(0, n));
    pool = pool.subarray(n);
    return out;
  };
  const fork = (label: string) =>
    seededRng(createHash("sha256").update(key).update(`fork\0${label}`).digest());
  return { bytes, int: (below) => intBelow(bytes, below), fork };
}

function block(key: Buffer, counter: number): Buffer {
  const count = Buffer.alloc(8);
  count.writeBigUInt64BE(BigInt(counter));
  return createHash("sha256").update(key).update(count).digest();
}

/** Draws again rather than take a remainder, so that every value is equally likely. */
function intBelow(bytes: (n: number) => Uint8Array, below: number): number {
  const limit = UINT32 - (UINT32 % below);
  for (;;) {
    const b = bytes(4);
    const value = new DataView(b.buffer, b.byteOffset, 4).getUint32(0);
    if (value < limit) return value % below;
  }
}
