// Reading and writing streams: the one place that does it, because it waits for the other side and
// notices when it is gone. Knows no message.
import { once } from "node:events";
import type { Readable } from "node:stream";

interface Writable {
  write(message: unknown): boolean;
  once(event: "drain" | "close", fn: () => void): unknown;
}

/**
 * Sends one message. Undefined when the stream can take the next at once, as it mostly can; else
 * resolves when it can, or when `signal` aborts: a reader that went away never drains.
 */
export function send(
  stream: Writable,
  message: unknown,
  signal: AbortSignal,
): Promise<void> | undefined {
  if (signal.aborted || stream.write(message)) return undefined;
  const ended = () => undefined;
  return once(stream as never, "drain", { signal }).then(ended, ended);
}

/**
 * What a stream carries, read no faster than it is taken. Leaves the stream open at its end, for an
 * answer; throws the signal's reason when that aborts first.
 */
export async function* received(stream: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const leave = () => stream.destroy();
  signal.addEventListener("abort", leave, { once: true });
  try {
    yield* stream.iterator({ destroyOnReturn: false });
  } catch (thrown) {
    throw signal.aborted ? signal.reason : thrown;
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** Settles as the promise does, or throws the signal's reason when that aborts first. */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let leave = () => {};
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", leave));
}
