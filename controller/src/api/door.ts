// What stands before grpc-js at a listener's sockets: who may come in, and what grpc-js would
// answer without saying why, or take in without a bound. Knows no RPC but by its path.
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type * as grpc from "@grpc/grpc-js";
import { type RailyardError, refuse } from "@railyard/lib/errors";
import { listenersBelow } from "./below.js";
import { boundConnections, type Patience } from "./connections.js";
import { toServiceError } from "./grpc-status.js";

/** Longest timeout that is handed on; a longer one is none: calls end by themselves before it. */
const TIMEOUT_S_MAX = 30 * 60;

const ENCODING = "grpc-encoding";
const TIMEOUT = "grpc-timeout";
/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests */
const LONG_TIMEOUT = /^(\d{1,8})([HMS])$/;
const SECONDS = { H: 3_600, M: 60, S: 1 } as const;

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Stands at the sockets of a bound server, which serves the `paths`. */
export function guard(server: grpc.Server, paths: ReadonlySet<string>, patience: Patience): void {
  for (const listener of listenersBelow(server)) {
    boundConnections(listener, patience);
    const inside = listener.listeners("stream") as OnStream[];
    listener.removeAllListeners("stream");
    listener.on("stream", (stream, headers) => {
      const refusal = refusalOf(headers, paths);
      if (refusal) turnAway(stream, refusal);
      else for (const take of inside) take(stream, headers);
    });
  }
}

/** Why a call is not let in; makes its headers such that grpc-js understands them. */
function refusalOf(
  headers: IncomingHttpHeaders,
  paths: ReadonlySet<string>,
): RailyardError | undefined {
  // What is no gRPC at all gets its HTTP answer inside.
  if (!headers["content-type"]?.startsWith("application/grpc")) return undefined;
  if (!paths.has(headers[":path"] ?? "")) return NO_METHOD;
  const encoding = headers[ENCODING];
  // A few bytes could become megabytes, before it is known who sends them.
  if (encoding !== undefined && encoding !== "identity") return COMPRESSED;
  // grpc-js counts in 32 bits of milliseconds: to it, the longest timeouts have passed already.
  if (isLong(headers[TIMEOUT])) delete headers[TIMEOUT];
  return undefined;
}

function isLong(timeout: string | string[] | undefined): boolean {
  if (typeof timeout !== "string") return false;
  const [, value, unit] = LONG_TIMEOUT.exec(timeout) ?? [];
  return value !== undefined && Number(value) * SECONDS[unit as "H" | "M" | "S"] > TIMEOUT_S_MAX;
}

const NO_METHOD = refuse("unimplemented", "there is no such method");
const COMPRESSED = refuse("unimplemented", "compressed requests are not taken");

/** Answers in place of grpc-js; what the client still sends is thrown away. */
function turnAway(stream: ServerHttp2Stream, why: RailyardError): void {
  // Its client may be gone.
  stream.on("error", () => undefined);
  const { code, details, metadata } = toServiceError(why);
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc+proto",
      "grpc-accept-encoding": "identity",
      "grpc-status": code,
      "grpc-message": encodeURI(details),
      ...metadata.toHttp2Headers(),
    },
    { endStream: true },
  );
}
