// Bounds what connections cost that make no calls: how many there are, how long one may say
// nothing, and how much it may say that is no call. Knows no call and no gRPC.
import { constants, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { ClientWait, ClientWaits } from "./client-waits.js";
import type { ConnectionLives } from "./connection-life.js";

/** Connections of one listener, unless another bound is set. */
export const CONNECTIONS_MAX = 4_096;
/** Connections from one address, unless another bound is set. */
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
  readonly lives: ConnectionLives;
  /** Aborts when the listener stops: who has said nothing by then is waited for no longer. */
  readonly stopping: AbortSignal;
  /** Connections of the listener; absent: CONNECTIONS_MAX. */
  readonly connectionsMax?: number | undefined;
  /** Connections from one address; absent: CONNECTIONS_PER_PEER_MAX. */
  readonly perPeerMax?: number | undefined;
}

/**
 * Bounds the connections of a listener that listens from now on. One that has not said that it
 * speaks HTTP/2, after the handshake of TLS where that is spoken, is waited for like a request.
 */
export function boundConnections(listener: Http2Server, patience: Patience): void {
  const { clock, lives, stopping, perPeerMax = CONNECTIONS_PER_PEER_MAX } = patience;
  listener.maxConnections = patience.connectionsMax ?? CONNECTIONS_MAX;
  const perPeer = new Map<string, number>();
  const silent = new Silent(patience.waits);
  // Before the session is made, which without TLS is at once.
  listener.prependListener("connection", (socket: Socket) => {
    const others = countPeer(perPeer, socket);
    // Those who listen as well expect it open.
    if (others >= perPeerMax) process.nextTick(() => socket.destroy());
    silent.begin(socket);
  });
  listener.on("session", (session: ServerHttp2Session) => {
    const { socket } = session;
    const name = socket && nameOf(socket);
    const below = name && silent.socketOf(name);
    if (below) {
      session.once("remoteSettings", () => silent.end(name));
      lives.add(session, below);
    }
    boundControlFrames(session, clock);
  });
  stopping.addEventListener("abort", () => silent.drop(), { once: true });
}

/** Connections that have not said yet that they speak HTTP/2. */
class Silent {
  private readonly byName = new Map<string, ClientWait & { readonly socket: Socket }>();

  constructor(private readonly waits: ClientWaits) {}

  begin(socket: Socket): void {
    const name = nameOf(socket);
    const wait = { socket, givenUp: () => void socket.destroy() };
    this.byName.set(name, wait);
    this.waits.begin(wait, SILENT_BYTES);
    socket.once("close", () => {
      this.waits.end(wait);
      if (this.byName.get(name) === wait) this.byName.delete(name);
    });
  }

  socketOf(name: string): Socket | undefined {
    return this.byName.get(name)?.socket;
  }

  end(name: string): void {
    const wait = this.byName.get(name);
    if (wait) this.waits.end(wait);
    this.byName.delete(name);
  }

  /** Nobody else closes those whose handshake of TLS goes on: they have no session. */
  drop(): void {
    for (const { socket } of this.byName.values()) socket.destroy();
  }
}

/** How many other connections the peer has; this one counts from now on until it is closed. */
function countPeer(perPeer: Map<string, number>, socket: Socket): number {
  const peer = socket.remoteAddress ?? "";
  const others = perPeer.get(peer) ?? 0;
  perPeer.set(peer, others + 1);
  socket.once("close", () => {
    const left = (perPeer.get(peer) ?? 1) - 1;
    if (left > 0) perPeer.set(peer, left);
    else perPeer.delete(peer);
  });
  return others;
}

type Ends = Pick<Socket, "remoteAddress" | "remotePort" | "localAddress">;

/** Both ends: what a session knows of its connection, whether TLS lies between or not. */
function nameOf({ remoteAddress, remotePort, localAddress }: Ends): string {
  // One port of a peer may lead to several addresses of this machine.
  return `${remoteAddress} ${remotePort} ${localAddress}`;
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
