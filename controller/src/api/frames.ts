// Responses of one streaming call, gathered: what is sent in one go leaves as one write. grpc-js
// itself writes a message at a time and waits for each, which at a watch's fan-out costs more than
// all the rest. Knows no message.
import { once } from "node:events";
import type { Writable } from "node:stream";
import * as grpc from "@grpc/grpc-js";
import { streamBelow } from "./below.js";
import { send } from "./stream.js";

/** Bytes gathered for one reader before it is written to, however much more is at hand. */
const GATHERED_BYTES_MAX = 16 * 1024;
/** Length of gRPC's prefix of a message: no compression, then its length. */
const PREFIX_BYTES = 5;

type Call = grpc.ServerWritableStream<Buffer, Buffer> | grpc.ServerDuplexStream<Buffer, Buffer>;

/** Undefined when the reader can take the next message at once; else resolves when it can. */
type Write = (bytes: Uint8Array, signal: AbortSignal) => Promise<void> | undefined;

/** How to write responses of `call`. Not to be mixed with the call's own `write`. */
export function writerTo(call: Call): Write {
  const stream = streamBelow(call);
  if (!stream) return (bytes, signal) => send(call, Buffer.from(bytes), signal);
  const gathered = new Gathered(call, stream);
  return (bytes, signal) => gathered.write(bytes, signal);
}

class Gathered {
  private messages: Uint8Array[] = [];
  private bytes = 0;
  private begun = false;

  constructor(
    private readonly call: Call,
    private readonly stream: Writable,
  ) {}

  write(message: Uint8Array, signal: AbortSignal): Promise<void> | undefined {
    // The end of the call is a later turn of the same queue, and so comes after what was written.
    if (this.messages.length === 0) queueMicrotask(() => this.flush());
    this.messages.push(message);
    this.bytes += PREFIX_BYTES + message.length;
    if (this.bytes >= GATHERED_BYTES_MAX) this.flush();
    return this.stream.writableNeedDrain ? drained(this.stream, signal) : undefined;
  }

  private flush(): void {
    const { messages, bytes, stream } = this;
    this.messages = [];
    this.bytes = 0;
    if (messages.length === 0 || stream.destroyed || stream.writableEnded) return;
    if (!this.begun) this.call.sendMetadata(new grpc.Metadata());
    this.begun = true;
    stream.write(framed(messages, bytes));
  }
}

/** Messages as gRPC frames them: each behind its length, uncompressed. */
function framed(messages: readonly Uint8Array[], bytes: number): Buffer {
  const out = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const message of messages) {
    out[at] = 0;
    out.writeUInt32BE(message.length, at + 1);
    out.set(message, at + PREFIX_BYTES);
    at += PREFIX_BYTES + message.length;
  }
  return out;
}

/** Resolves when the stream takes more, is gone, or `signal` aborts: who went away never drains. */
function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  const ended = () => undefined;
  return once(stream, "drain", { signal }).then(ended, ended);
}
