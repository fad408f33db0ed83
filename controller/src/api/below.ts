// What the door reaches of grpc-js beneath its types, all of it in one place: the HTTP/2 stream of
// a call, the connections of a server. Undefined or none should a version name them otherwise than
// 1.14 (`server`, `server-call`, `server-interceptors`); the tests of the door then fail.
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import type * as grpc from "@grpc/grpc-js";

/** A call as grpc-js itself has it. */
export type Below = grpc.ServerInterceptingCallInterface;

/** The stream of a call that grpc-js has, or that its handler was given. */
export function streamBelow(call: object): ServerHttp2Stream | undefined {
  const inside = call as { readonly stream?: unknown; readonly call?: { stream?: unknown } };
  const stream = inside.stream ?? inside.call?.stream;
  return stream instanceof Duplex ? (stream as ServerHttp2Stream) : undefined;
}

/** What a server listens with. */
export function listenersBelow(server: grpc.Server): readonly Http2Server[] {
  return [...(inside(server)?.keys() ?? [])];
}

/** The connections of a server; grpc-js cuts them by itself only where it counts calls. */
export function sessionsBelow(server: grpc.Server): readonly ServerHttp2Session[] {
  return [...(inside(server)?.values() ?? [])].flatMap(({ sessions }) => [...sessions]);
}

interface Listening {
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

function inside(server: grpc.Server): ReadonlyMap<Http2Server, Listening> | undefined {
  return (server as unknown as { http2Servers?: Map<Http2Server, Listening> }).http2Servers;
}
