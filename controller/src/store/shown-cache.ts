// Encoded objects that were read lately, so that the next read of one needs no turn of the store's
// connection. It holds what is committed and nothing else: only reads put objects in, never while
// a batch of writes is open, and whatever a write touches, or shows anew, is out at once. An undone
// batch leaves gaps, which the next reads fill. Knows no format.
import type { AccountId } from "@railyard/lib/ids";
import type { Touch } from "./touches.js";

/** Bytes of objects kept, about; each counts for ENTRY_BYTES more. */
export const SHOWN_BYTES_MAX = 16 * 1024 * 1024;
const ENTRY_BYTES = 256;

interface Shown {
  readonly account: AccountId;
  readonly object: Uint8Array;
}

export class ShownCache {
  /** Two generations: what was not asked for during one is forgotten with the next. */
  private young = new Map<string, Shown>();
  private old = new Map<string, Shown>();
  private bytes = 0;

  constructor(private readonly bytesMax = SHOWN_BYTES_MAX) {}

  /** Undefined says nothing about whether the account has such an object. */
  find(account: AccountId, of: Touch): Uint8Array | undefined {
    const key = keyOf(of);
    let found = this.young.get(key);
    if (!found) {
      found = this.old.get(key);
      if (found) this.put(key, found);
    }
    return found?.account === account ? found.object : undefined;
  }

  /** To be called by a reading transaction alone, with what it just read. */
  keep(account: AccountId, of: Touch, object: Uint8Array): void {
    this.put(keyOf(of), { account, object });
  }

  /** To be told of everything that a transaction touches or encodes again. */
  forget(of: Touch): void {
    const key = keyOf(of);
    this.young.delete(key);
    this.old.delete(key);
  }

  private put(key: string, shown: Shown): void {
    this.bytes += shown.object.length + ENTRY_BYTES;
    if (this.bytes > this.bytesMax / 2) {
      this.old = this.young;
      this.young = new Map();
      this.bytes = shown.object.length + ENTRY_BYTES;
    }
    this.old.delete(key);
    this.young.set(key, shown);
  }
}

function keyOf({ kind, id }: Touch): string {
  return `${kind}/${id}`;
}
