// Keeps answers that hold a secret unreadable in the store: AES-256-GCM under a key of this server.
// Knows nothing of what is sealed.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { bug } from "@railyard/lib/errors";
import type { Rng } from "@railyard/lib/rng";

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealer {
  seal(plain: Uint8Array): Uint8Array;
  /** Throws `bug` for bytes that this server did not seal. */
  open(sealed: Uint8Array): Uint8Array;
}

/** `key`: 32 secret bytes, the same after a restart. */
export function createSealer(key: Uint8Array, rng: Rng): Sealer {
  return {
    seal(plain) {
      const nonce = rng.bytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce);
      const text = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]);
    },
    open(sealed) {
      const head = NONCE_BYTES + TAG_BYTES;
      try {
        const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES));
        decipher.setAuthTag(sealed.subarray(NONCE_BYTES, head));
        return Buffer.concat([decipher.update(sealed.subarray(head)), decipher.final()]);
      } catch (cause) {
        throw bug("a sealed answer cannot be opened", { cause });
      }
    },
  };
}
