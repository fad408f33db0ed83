// Frames of HTTP/2 by hand (RFC 9113), for clients that no library would be: what to send, and what
// became of the connection. Knows no gRPC but the headers of a call.
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const TYPE = {
  ...{ data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, goaway: 7 },
  ...{ windowUpdate: 8, continuation: 9 },
};
const HEAD_BYTES = 9;
export const END_HEADERS = 0x4;

interface FrameParts {
  readonly stream?: number;
  readonly flags?: number;
  readonly payload?: Buffer;
}

/** One frame; any type that HTTP/2 knows, or a number that it does not know. */
export function frame(
  type: keyof typeof TYPE | number,
  { stream = 0, flags = 0, payload = Buffer.alloc(0) }: FrameParts = {},
): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(typeof type === "number" ? type : TYPE[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Headers as literals that are put into no table (RFC 7541 §6.2.2); each shorter than 127. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

/** A connection, and how it ended. */
export class RawConnection {
  readonly opened: Promise<void>;
  readonly closed: Promise<void>;
  /** Resolves once nothing more is listened to: a GOAWAY frame came, or the end. */
  readonly over: Promise<void>;
  isClosed = false;
  /** The code of the GOAWAY frame that came, if one did. */
  goawayCode: number | undefined;
  private tellOver: () => void = () => undefined;
  /** What came of a frame that has not come whole. */
  private rest: Buffer = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => this.take(bytes));
    this.opened = new Promise((resolve) => {
      const event = socket instanceof TLSSocket ? "secureConnect" : "connect";
      socket.once(event, resolve).once("close", resolve);
    });
    this.over = new Promise((resolve) => {
      this.tellOver = resolve;
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.isClosed = true;
        this.tellOver();
        resolve();
      });
    });
  }

  static open(port: number): RawConnection {
    return new RawConnection(connect(port, "127.0.0.1"));
  }

  /** From 127.0.0.1, whichever of this machine's addresses it leads to. */
  static openTo(where: TcpNetConnectOpts): RawConnection {
    return new RawConnection(connect({ localAddress: "127.0.0.1", ...where }));
  }

  static openTls(port: number, protocol: string): RawConnection {
    const trusting = { rejectUnauthorized: false, ALPNProtocols: [protocol] };
    return new RawConnection(connectTls({ port, host: "127.0.0.1", ...trusting }));
  }

  /** The same connection, with TLS from now on. */
  encrypted(protocol: string): RawConnection {
    const { socket } = this;
    socket.removeAllListeners("data");
    const trusting = { rejectUnauthorized: false, ALPNProtocols: [protocol] };
    return new RawConnection(connectTls({ socket, ...trusting }));
  }

  /** Sends, and resolves when that is in the system's hands or the connection has ended. */
  send(...bytes: readonly Buffer[]): Promise<void> {
    const { socket } = this;
    if (this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        socket.off("close", done);
        resolve();
      };
      socket.once("close", done);
      socket.write(Buffer.concat(bytes), done);
    });
  }

  end(): void {
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    let left: Buffer = Buffer.concat([this.rest, bytes]);
    while (left.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + left.readUIntBE(0, 3);
      if (left.length < end) break;
      if (left[3] === TYPE.goaway) {
        this.goawayCode = left.readUInt32BE(HEAD_BYTES + 4);
        this.tellOver();
      }
      left = left.subarray(end);
    }
    this.rest = left;
  }
}
