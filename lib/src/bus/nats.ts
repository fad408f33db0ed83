// The bus over a real nats-server. The only file that imports the transport. No JetStream: nothing
// here is durable, and nothing that uses it may count on delivery.
import { connect, type NatsConnection, nkeyAuthenticator } from "@nats-io/transport-node";
import { type Clock, sleep, withDeadline } from "../clock.js";
import { refuse } from "../errors.js";
import type { Log } from "../log.js";
import {
  type Bus,
  MESSAGE_BYTES_MAX,
  type Message,
  type RequestOptions,
  type SubscribeOptions,
  type Subscription,
} from "./bus.js";

export interface NatsOptions {
  /** `host:port` of the broker. */
  readonly server: string;
  /** nkey user seed; absent only for brokers without authentication (tests). */
  readonly seed?: string;
  /** Connection name, shown by the broker. */
  readonly name: string;
  /** First tokens of reply subjects; permissions are written against it. */
  readonly inboxPrefix: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the wait for the first connection; then `unavailable` is thrown. */
  readonly signal?: AbortSignal;
}

const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 250;
const PING_INTERVAL_MS = 5_000;
const CLOSE_MS = 1_000;
const DIAL_MS = 3_000;

/** Connects, waiting for the broker as long as it takes; reconnects for ever. */
export async function connectNats(options: NatsOptions): Promise<Bus> {
  const { clock, log, server, signal } = options;
  for (let told = false; !signal?.aborted; told = true) {
    try {
      return new NatsBus(await dial(options), options);
    } catch (err) {
      if (!told) log.warn({ server, err }, "bus not reachable yet");
    }
    await sleep(clock, RECONNECT_WAIT_MS, signal);
  }
  throw refuse("unavailable", "the bus was not reached in time");
}

/** One try: the library's own wait for a first connection cannot be ended. */
function dial({ server, seed, name, inboxPrefix }: NatsOptions): Promise<NatsConnection> {
  return connect({
    servers: server,
    name,
    inboxPrefix,
    maxReconnectAttempts: -1,
    timeout: DIAL_MS,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    ignoreAuthErrorAbort: true,
    // Otherwise every request makes two errors in advance, to know where it began.
    noAsyncTraces: true,
    ...(seed && { authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) }),
  });
}

class NatsBus implements Bus {
  private up = true;
  private readonly reconnects: (() => void)[] = [];

  constructor(
    private readonly connection: NatsConnection,
    private readonly options: NatsOptions,
  ) {
    void this.follow();
  }

  get connected(): boolean {
    return this.up && !this.connection.isClosed();
  }

  publish(subject: string, data: Uint8Array): void {
    if (!this.connection.isClosed()) this.connection.publish(subject, bounded(data));
  }

  async request(subject: string, data: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    if (!this.connected) throw refuse("unavailable", "the bus is not connected");
    try {
      const answer = await this.connection.request(subject, bounded(data), {
        timeout: options.timeoutMs,
      });
      return answer.data;
    } catch (cause) {
      const name = cause instanceof Error ? cause.name : "";
      if (name === "TimeoutError") {
        throw refuse("deadline", `no answer within ${options.timeoutMs} ms`, { cause });
      }
      throw refuse("unavailable", "the request was not answered", { cause });
    }
  }

  subscribe(
    subject: string,
    handler: (message: Message) => void,
    options: SubscribeOptions = {},
  ): Subscription {
    const { log } = this.options;
    const subscription = this.connection.subscribe(subject, {
      ...(options.queue && { queue: options.queue }),
      callback: (err, msg) => {
        if (err) {
          log.warn({ subject, err }, "subscription refused");
          return;
        }
        handler(msg);
      },
    });
    return { cancel: () => subscription.unsubscribe() };
  }

  onReconnect(fn: () => void): void {
    this.reconnects.push(fn);
  }

  async flush(timeoutMs: number): Promise<void> {
    const { clock } = this.options;
    await withDeadline(clock, { ms: timeoutMs, what: "the broker" }, this.connection.flush());
  }

  async close(): Promise<void> {
    if (this.connection.isClosed()) return;
    const { clock } = this.options;
    const closing = this.connection.close();
    await withDeadline(clock, { ms: CLOSE_MS, what: "the broker" }, closing).catch((err) =>
      this.options.log.warn({ err }, "bus did not close in time"),
    );
  }

  private async follow(): Promise<void> {
    const { log } = this.options;
    for await (const status of this.connection.status()) {
      if (status.type === "disconnect") {
        this.up = false;
        log.warn({}, "bus disconnected");
      } else if (status.type === "reconnect") {
        this.up = true;
        log.info({}, "bus reconnected");
        for (const fn of this.reconnects) fn();
      } else if (status.type === "error") {
        log.warn({ err: status.error }, "bus refused something");
      }
    }
  }
}

function bounded(data: Uint8Array): Uint8Array {
  if (data.length > MESSAGE_BYTES_MAX) throw refuse("invalid", "message exceeds 1 MiB");
  return data;
}
