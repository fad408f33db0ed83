// Closes connections over which no call has been made for long, and those that are old: their
// client is asked to leave, and after a while not asked any more. One timer for all, and nothing is
// done for a call that ends by itself; knows no RPC.
import type { Http2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Clock, Timer } from "@railyard/lib/clock";

/** How long a connection may make no call, and have none that lasts; a look more or less. */
export const IDLE_MS_MAX = 5 * 60_000;
/**
 * How old a connection may be, whatever it is used for: its clients find the listeners that there
 * are by now. Some less, so that those that came together do not leave together.
 */
export const AGE_MS_MAX = 30 * 60_000;
/** Milliseconds between two looks, and between two steps towards the end of a connection. */
export const LOOK_MS = 30_000;
const IDLE_LOOKS_MAX = IDLE_MS_MAX / LOOK_MS;
const AGE_LOOKS_MAX = AGE_MS_MAX / LOOK_MS;
/** By so many looks less at most. */
const SPREAD_LOOKS = 6;

interface Connection {
  readonly session: Http2Session;
  /** What lies under the session, and under TLS where that is spoken. */
  readonly socket: Socket;
  /** The last call there was at the latest look; HTTP/2 numbers them. */
  lastCall: number | undefined;
  /** Calls under way that may last. */
  lasting: number;
  /** Looks in a row that saw no call. */
  quietLooks: number;
  /** Looks until it is old. */
  looksLeft: number;
}

export class ConnectionLives {
  private readonly bySession = new Map<Http2Session, Connection>();
  private timer: Timer | undefined;
  private added = 0;

  constructor(private readonly clock: Clock) {}

  /** Looks at a connection from now on, until it is closed. */
  add(session: Http2Session, socket: Socket): void {
    const looksLeft = AGE_LOOKS_MAX - (this.added++ % SPREAD_LOOKS);
    this.bySession.set(session, {
      ...{ session, socket, lastCall: undefined },
      ...{ lasting: 0, quietLooks: 0, looksLeft },
    });
    // A session ends sooner than its socket, which the peer may leave half open.
    socket.once("close", () => this.bySession.delete(session));
    this.timer ??= this.clock.after(LOOK_MS, () => this.look());
  }

  /** This call may last longer than a connection may be idle: until it ends, its own is not. */
  holdFor(call: ServerHttp2Stream): void {
    const connection = call.session && this.bySession.get(call.session);
    if (!connection) return;
    connection.lasting += 1;
    call.once("close", () => {
      connection.lasting -= 1;
    });
  }

  /** Looks no more. */
  stop(): void {
    this.timer?.cancel();
    this.bySession.clear();
  }

  private look(): void {
    for (const connection of this.bySession.values()) lookAt(connection);
    const more = this.bySession.size > 0;
    this.timer = more ? this.clock.after(LOOK_MS, () => this.look()) : undefined;
  }
}

function lookAt(connection: Connection): void {
  const { session, lasting } = connection;
  // A session that has ended, while its socket has not, has no state any more.
  const lastCall = session.state.lastProcStreamID ?? connection.lastCall;
  const isQuiet = lastCall === connection.lastCall && lasting === 0;
  connection.lastCall = lastCall;
  connection.quietLooks = isQuiet ? connection.quietLooks + 1 : 0;
  connection.looksLeft -= 1;
  const over = Math.max(connection.quietLooks - IDLE_LOOKS_MAX, -connection.looksLeft);
  if (over >= 0) nextStep(connection, over);
}

/**
 * The GOAWAY names the last call that was served, since nghttp2 takes no further one after it: a
 * call that crosses it is not begun, and its client knows and makes it again (RFC 9113 §6.8).
 */
function nextStep({ session, socket }: Connection, step: number): void {
  if (step === 0 && !session.destroyed) session.goaway();
  if (step === 1) session.close();
  if (step > 1) socket.destroy();
}
