// The messages of one call, by the kind of its RPC: one or a stream of them in, one or a stream of
// them out, all bounded. Knows neither sockets nor who calls.
import type { MethodDefinition } from "@grpc/grpc-js";
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { asRailyardError, bug, type RailyardError, refuse } from "@railyard/lib/errors";
import { andThen, type Soon } from "@railyard/lib/soon";
import { everyFault } from "./every-fault.js";
import type {
  AnyHandler,
  DownloadHandler,
  DuplexHandler,
  MutationRequest,
  Rpc,
  UnaryHandler,
  UploadHandler,
} from "./handler.js";
import { TooManyItems } from "./limits.js";
import { unlessAborted } from "./stream.js";

/** Largest request in bytes. */
export const RECEIVE_BYTES_MAX = 256 * 1024;
/** Most bytes of one stream of requests: a document of 16 MiB and what frames its pieces. */
export const UPLOAD_BYTES_MAX = 17 * 1024 * 1024;
/** Most messages of one stream of requests. */
export const UPLOAD_MESSAGES_MAX = 4_096;
/** How long a reader may take no message of a stream of responses. */
export const READER_MS_MAX = 30_000;

export interface Exchange {
  /** Fits the codec's kind. */
  readonly handler: AnyHandler;
  readonly codec: MethodDefinition<object, object>;
  readonly by: Rpc;
  /** Told of each decoded request; throws `invalid` for a bad one. */
  readonly taken: (request: object & MutationRequest) => void;
  /** Encoded requests; one unless the RPC takes a stream. */
  readonly requests: AsyncIterable<Buffer> | readonly [Buffer];
  /**
   * Writes one response of a stream; undefined when the next can be taken, else resolves when it
   * can, or `signal` aborts.
   */
  readonly write: (bytes: Uint8Array, signal: AbortSignal) => Promise<void> | undefined;
}

/**
 * Runs the handler; its encoded response, empty after a stream of responses. One request with one
 * response waits for nothing that its handler does not wait for.
 */
export function exchange(clock: Clock, call: Exchange): Soon<Buffer> {
  const { codec, requests } = call;
  if (codec.requestStream || codec.responseStream) return streamed(clock, call);
  return isOne(requests)
    ? answered(call, requests[0])
    : only(call).then((it) => answered(call, it));
}

async function streamed(clock: Clock, call: Exchange): Promise<Buffer> {
  const { handler, codec, by } = call;
  const send = (response: object) => sendTo(clock, call, response);
  if (codec.requestStream && codec.responseStream) {
    await unlessAborted(by.signal, (handler as Duplex)(each(call), by, send));
    return Buffer.alloc(0);
  }
  if (codec.requestStream) {
    return codec.responseSerialize(await (handler as Upload)(uploaded(call), by));
  }
  const request = decoded(call, await only(call));
  // A handler that waits for news must not outlive its reader.
  await unlessAborted(by.signal, (handler as Download)(request, by, send));
  return Buffer.alloc(0);
}

type Unary = UnaryHandler<object, object>;
type Upload = UploadHandler<object, object>;
type Download = DownloadHandler<object, object>;
type Duplex = DuplexHandler<object, object>;

function answered(call: Exchange, bytes: Buffer): Soon<Buffer> {
  const { codec, taken, by } = call;
  const request = decode(codec, bytes);
  try {
    taken(request);
  } catch (thrown) {
    return refused(call, request, thrown);
  }
  const response = (call.handler as Unary)(request, by);
  return andThen(response, (made) => encoded(codec, made));
}

/** Throws what is wrong with the request, and what its use case finds beside that. */
async function refused(call: Exchange, request: object, thrown: unknown): Promise<never> {
  const harmless = withoutEffect(request);
  // What is too much is not worth the one writer's time.
  if (!harmless || thrown instanceof TooManyItems) throw thrown;
  const handler = call.handler as Unary;
  throw await everyFault(asRailyardError(thrown), async () => handler(harmless, call.by));
}

/** The request as one that changes nothing; undefined when nothing says that it would not. */
function withoutEffect(request: object): object | undefined {
  if ("validateOnly" in request) return { ...request, validateOnly: true };
  return "pageToken" in request ? request : undefined;
}

function isOne(requests: Exchange["requests"]): requests is readonly [Buffer] {
  return Array.isArray(requests);
}

async function only({ requests }: Exchange): Promise<Buffer> {
  if (isOne(requests)) return requests[0];
  for await (const bytes of requests) return bytes;
  throw bug("a call without its request");
}

async function* each(call: Exchange): AsyncGenerator<object> {
  for await (const bytes of call.requests) yield decoded(call, bytes);
}

async function* uploaded(call: Exchange): AsyncGenerator<object> {
  let left = UPLOAD_BYTES_MAX;
  let count = 0;
  for await (const bytes of call.requests) {
    left -= bytes.length;
    count += 1;
    if (left < 0) throw tooLarge(`more than ${UPLOAD_BYTES_MAX} bytes in one call`);
    if (count > UPLOAD_MESSAGES_MAX) {
      throw tooLarge(`more than ${UPLOAD_MESSAGES_MAX} messages in one call`);
    }
    yield decoded(call, bytes);
  }
}

function tooLarge(text: string): RailyardError {
  return refuse("exhausted", text, { reason: "MESSAGE_TOO_LARGE" });
}

function decoded({ codec, taken }: Exchange, bytes: Buffer): object {
  const request = decode(codec, bytes);
  taken(request);
  return request;
}

function decode(codec: Exchange["codec"], bytes: Buffer): object {
  if (bytes.length > RECEIVE_BYTES_MAX) throw tooLarge(`more than ${RECEIVE_BYTES_MAX} bytes`);
  try {
    return codec.requestDeserialize(bytes);
  } catch (cause) {
    // Whatever the decoder says, the fault is the sender's.
    throw refuse("invalid", "the request is not a well-formed message", { cause });
  }
}

function sendTo(clock: Clock, { codec, by, write }: Exchange, response: object) {
  by.signal.throwIfAborted();
  const bytes = response instanceof Uint8Array ? response : codec.responseSerialize(response);
  const taking = write(bytes, by.signal);
  if (!taking) return undefined;
  const limit = { ms: READER_MS_MAX, what: "the reader" };
  return withDeadline(clock, limit, taking).then(() => by.signal.throwIfAborted());
}

function encoded({ responseSerialize }: Exchange["codec"], response: object): Buffer {
  return response instanceof Uint8Array ? asBuffer(response) : responseSerialize(response);
}

/** The same bytes as the transport wants them. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
