// Bounds what connections cost that make no calls: how many there are, how long one may say
// nothing, and how much it may say that is no call. Knows no call and no gRPC.
import { constants, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { ClientWait, ClientWaits } from "./client-waits.js";

/** Connections of one listener. */
export const CONNECTIONS_MAX = 4_096;
/** Connections from one address. */
export const CONNECTIONS_PER_PEER_MAX = 1_024;
/**
 * PING and SETTINGS frames of one connection in a second. Clients that measure their line send a
 * PING with each answer that they read, some thousands in a second where the line is short.
 */
export const CONTROL_FRAMES_MAX = 10_000;
const SECOND_MS = 1_000;
/** What a connection takes in memory that has said nothing yet, about. */
const SILENT_BYTES = 16 * 1024;

/** What connections are judged with. */
export interface Patience {
  readonly clock: Clock;
  readonly waits: ClientWaits;
}

/**
 * Bounds the connections of a listener that listens from now on. One that has not said that it
 * speaks HTTP/2, after the handshake of TLS where that is spoken, is waited for like a request.
 */
export function boundConnections(listener: Http2Server, { clock, waits }: Patience): void {
  listener.maxConnections = CONNECTIONS_MAX;
  const perPeer = new Map<string, number>();
  const silent = new Map<string, ClientWait>();
  // Before the session is made, which without TLS is at once.
  listener.prependListener("connection", (socket: Socket) => {
    countPeer(perPeer, socket);
    const name = nameOf(socket);
    const wait = { givenUp: () => void socket.destroy() };
    silent.set(name, wait);
    waits.begin(wait, SILENT_BYTES);
    socket.once("close", () => {
      waits.end(wait);
      if (silent.get(name) === wait) silent.delete(name);
    });
  });
  listener.on("session", (session: ServerHttp2Session) => {
    const { socket } = session;
    const wait = socket && silent.get(nameOf(socket));
    session.once("remoteSettings", () => {
      if (wait) waits.end(wait);
    });
    boundControlFrames(session, clock);
  });
}

function countPeer(perPeer: Map<string, number>, socket: Socket): void {
  const peer = socket.remoteAddress ?? "";
  const others = perPeer.get(peer) ?? 0;
  perPeer.set(peer, others + 1);
  socket.once("close", () => {
    const left = (perPeer.get(peer) ?? 1) - 1;
    if (left > 0) perPeer.set(peer, left);
    else perPeer.delete(peer);
  });
  // Those who listen as well expect it open.
  if (others >= CONNECTIONS_PER_PEER_MAX) process.nextTick(() => socket.destroy());
}

/** The other end: what a session knows of its connection, whether TLS lies between or not. */
function nameOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">) {
  return `${remoteAddress} ${remotePort}`;
}

function boundControlFrames(session: ServerHttp2Session, clock: Clock): void {
  let since = clock.monotonic();
  let frames = 0;
  const heard = () => {
    const now = clock.monotonic();
    if (now - since >= SECOND_MS) {
      since = now;
      frames = 0;
    }
    frames += 1;
    if (frames > CONTROL_FRAMES_MAX) session.destroy(FLOOD, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  session.on("ping", heard).on("remoteSettings", heard);
}

const FLOOD = refuse("exhausted", "more control frames than any client needs");
