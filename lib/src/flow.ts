// Credit-based flow control of one direction of a byte stream: the sender sends no more than it was
// given credit for, so neither side ever holds more than a window. It knows no message and no wire.
import { refuse } from "./errors.js";

/** The sending end: bytes that wait, and how many of them may go. */
export class Outflow {
  private readonly chunks: Uint8Array[] = [];
  private held = 0;
  private left = 0;

  /** Throws `exhausted` from `push` when more than `bytesMax` would wait. */
  constructor(private readonly bytesMax: number) {}

  /** Bytes that wait. */
  get waiting(): number {
    return this.held;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.held + bytes.length > this.bytesMax) {
      throw refuse("exhausted", `more than ${this.bytesMax} bytes wait to be sent`);
    }
    this.chunks.push(bytes);
    this.held += bytes.length;
  }

  /** So many bytes more may be sent; never more than `creditMax` in all. */
  allow(bytes: number, creditMax: number): void {
    this.left = Math.min(creditMax, this.left + Math.max(0, bytes));
  }

  /** The next piece that may be sent, at most `bytesMax` long; undefined when none may. */
  next(bytesMax: number): Uint8Array | undefined {
    const [first] = this.chunks;
    const length = Math.min(first?.length ?? 0, this.left, bytesMax);
    if (first === undefined || length === 0) return undefined;
    if (length === first.length) this.chunks.shift();
    else this.chunks[0] = first.subarray(length);
    this.held -= length;
    this.left -= length;
    return first.subarray(0, length);
  }
}

/** How much of the window is given back before a message is worth it. */
const BATCH = 4;

/** The receiving end: how many bytes may still come, and when to give credit back. */
export class Inflow {
  private owed = 0;
  private left: number;

  /** The sender starts with `windowBytes` of credit. */
  constructor(private readonly windowBytes: number) {
    this.left = windowBytes;
  }

  /** Bytes came; throws `exhausted` when the sender had no credit for them. */
  take(bytes: number): void {
    if (bytes > this.left) throw refuse("exhausted", "more bytes were sent than credit was given");
    this.left -= bytes;
  }

  /** Bytes were passed on; answers the credit to give now, 0 for none yet. */
  passed(bytes: number): number {
    this.owed += bytes;
    if (this.owed * BATCH < this.windowBytes) return 0;
    const credit = this.owed;
    this.owed = 0;
    this.left += credit;
    return credit;
  }
}
