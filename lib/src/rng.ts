// Chance comes in through here and nowhere else. A seeded generator gives the same values for the
// same seed, so a whole yard can be replayed. This file must know nothing of what the values are
// used for.
import { hash, randomBytes, randomFillSync } from "node:crypto";

export interface Rng {
  /** `n` random bytes. */
  bytes(n: number): Uint8Array;
  /** A whole number, 0 ≤ value < `below`; `below` is 1 … 2^32. */
  int(below: number): number;
  /** An independent generator for `label`; drawing from one never changes the other. */
  fork(label: string): Rng;
}

const UINT32 = 2 ** 32;

/** Asking the system for bytes costs more than the bytes: small amounts are fetched together. */
const POOL_BYTES = 4_096;
const POOLED_MAX = 512;
const pool = new Uint8Array(POOL_BYTES);
let poolAt = POOL_BYTES;

/** The operating system's generator: unpredictable, fit for keys and tokens. */
export function systemRng(): Rng {
  return withInt({ bytes: systemBytes, fork: () => systemRng() });
}

function systemBytes(n: number): Uint8Array {
  if (n > POOLED_MAX) return new Uint8Array(randomBytes(n));
  if (poolAt + n > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const out = pool.slice(poolAt, poolAt + n);
  // What may be a secret stays with whoever asked for it.
  pool.fill(0, poolAt, poolAt + n);
  poolAt += n;
  return out;
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
  const fork = (label: string) =>
    seededRng(hash("sha256", Buffer.concat([key, Buffer.from(`fork\0${label}`)]), "buffer"));
  return withInt({ bytes, fork });
}

/** Bytes that are drawn at a time for those who repeat them. */
const DRAWN_BYTES = 256;

/**
 * Makes generators that all draw the same, each from the start: what `rng` gives, drawn as far as
 * one of them needs it. For what may run again and is to come out the same.
 */
export function repeating(rng: Rng): () => Rng {
  let drawn = new Uint8Array(0);
  let forks: Uint8Array | undefined;
  const reach = (end: number) => {
    if (end <= drawn.length) return;
    const more = rng.bytes(Math.max(DRAWN_BYTES, end - drawn.length));
    const all = new Uint8Array(drawn.length + more.length);
    all.set(drawn);
    all.set(more, drawn.length);
    drawn = all;
  };
  return () => {
    let at = 0;
    const bytes = (n: number) => {
      reach(at + n);
      at += n;
      return drawn.slice(at - n, at);
    };
    // From bytes of their own, since those that are drawn become public.
    const fork = (label: string) => {
      forks ??= rng.bytes(SEED_BYTES);
      return seededRng(forks).fork(label);
    };
    return withInt({ bytes, fork });
  };
}

function withInt({ bytes, fork }: Pick<Rng, "bytes" | "fork">): Rng {
  const uint32 = () => bytes(4).reduce((sum, byte) => sum * 256 + byte, 0);
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
