// Calls a server: credentials, deadline, and when a call is made again. It knows no noun.
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  Metadata,
} from "@grpc/grpc-js";
import { type BackoffLimits, backoffMs } from "@railyard/lib/backoff";
import { type Clock, sleep } from "@railyard/lib/clock";
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { Rng } from "@railyard/lib/rng";
import { fromServiceError } from "./status.js";

/** A method as the generated service definitions describe it. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

export interface ClientOptions {
  readonly clock: Clock;
  readonly rng: Rng;
  /** Bearer token; absent sends none. */
  readonly token?: string | undefined;
  /** PEM of the CA that signed the server's certificate; absent for plain text. */
  readonly ca?: Buffer | undefined;
  /** Calls, retries included, end at this monotonic time in milliseconds. */
  readonly deadlineAt: () => number;
  /** Told before a call is made again. */
  readonly onRetry?: (error: RailyardError) => void;
}

/** A stream both ways; iterating it reads what the server says. */
export interface Duplex<Request, Response> extends AsyncIterable<Response> {
  /** Sends a message; how many there may be is the protocol's to bound. */
  send(request: Request): void;
  /** Says that nothing more will be sent. */
  end(): void;
  cancel(): void;
}

export interface RepeatOptions<Response> {
  /**
   * Judges the failure of a repeated try: the first one may have been carried out although its
   * answer was lost. Answers what the call would have answered, or undefined to fail.
   */
  readonly settle?: (error: RailyardError) => Promise<Response | undefined>;
}

// About eight seconds in all: a controller that restarts is back by then.
const TRIES_MAX = 10;
const RETRY: BackoffLimits = { baseMs: 100, maxMs: 2_000 };

// grpc-js waits a second and longer before it connects again; until then every try fails unsent.
const CHANNEL_OPTIONS = {
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.min_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 500,
};

/** One server, as one caller. Close it, or the process stays alive. */
export class RpcClient {
  private readonly client: Client;

  constructor(
    readonly server: string,
    private readonly options: ClientOptions,
  ) {
    const { ca } = options;
    const secured = ca ? credentials.createSsl(ca) : credentials.createInsecure();
    this.client = new Client(server, secured, CHANNEL_OPTIONS);
  }

  /**
   * Calls a unary method; while the server is unavailable it calls again. So every request must
   * be repeatable: reads are, creates carry a request id, the rest says how to `settle`.
   */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { settle }: RepeatOptions<NoInfer<Response>> = {},
  ): Promise<Response> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.tryCall(method, request);
      } catch (thrown) {
        const error = fromServiceError(thrown, this.server);
        const settled = tried > 1 ? await settle?.(error) : undefined;
        if (settled !== undefined) return settled;
        if (error.code !== "unavailable" || tried === TRIES_MAX) throw error;
        await this.pause(tried, error);
      }
    }
  }

  /** Sends every message, then waits for the one answer. Made once: nothing is tried again. */
  async upload<Request, Response>(
    method: Method<Request, Response>,
    requests: readonly Request[],
  ): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      const stream: ClientWritableStream<Request> = this.client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        this.metadata(),
        this.callOptions(),
        (error, response) => (response === undefined ? reject(error) : resolve(response)),
      );
      for (const request of requests) stream.write(request);
      stream.end();
    }).catch((thrown: unknown) => {
      throw fromServiceError(thrown, this.server);
    }) as Promise<Response>;
  }

  /** Reads every message of a server's stream, at most `messagesMax` of them. */
  async download<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    messagesMax: number,
  ): Promise<Response[]> {
    const { path, requestSerialize, responseDeserialize } = method;
    const stream: ClientReadableStream<Response> = this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      this.metadata(),
      this.callOptions(),
    );
    const messages: Response[] = [];
    try {
      for await (const message of stream) {
        if (messages.length === messagesMax) {
          throw refuse("exhausted", `${this.server} sent more than ${messagesMax} messages`);
        }
        messages.push(message);
      }
    } catch (thrown) {
      stream.cancel();
      throw fromServiceError(thrown, this.server);
    }
    return messages;
  }

  /**
   * A server's stream as it comes, until it ends, is left, or `deadlineAt` (monotonic) passes.
   * Made once: nothing is tried again.
   */
  async *follow<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    deadlineAt: number | undefined,
  ): AsyncGenerator<Response> {
    const { clock } = this.options;
    const deadline = deadlineAt && new Date(clock.now() + deadlineAt - clock.monotonic());
    const stream: ClientReadableStream<Response> = this.client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      this.metadata(),
      deadline ? { deadline } : {},
    );
    try {
      yield* stream;
    } catch (thrown) {
      throw fromServiceError(thrown, this.server);
    } finally {
      stream.cancel();
    }
  }

  /**
   * Opens a stream both ways, until `deadlineAt` (monotonic) if given. Made once: nothing is tried
   * again.
   */
  duplex<Request, Response>(
    { path, requestSerialize, responseDeserialize }: Method<Request, Response>,
    deadlineAt: number | undefined,
  ): Duplex<Request, Response> {
    const { clock } = this.options;
    const deadline = deadlineAt && new Date(clock.now() + deadlineAt - clock.monotonic());
    const stream: ClientDuplexStream<Request, Response> = this.client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.metadata(),
      deadline ? { deadline } : {},
    );
    const { server } = this;
    return {
      send: (request) => void stream.write(request),
      end: () => void stream.end(),
      cancel: () => stream.cancel(),
      async *[Symbol.asyncIterator]() {
        try {
          yield* stream;
        } catch (thrown) {
          throw fromServiceError(thrown, server);
        } finally {
          stream.cancel();
        }
      },
    };
  }

  close(): void {
    this.client.close();
  }

  private tryCall<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.metadata(),
        this.callOptions(),
        (error, response) => (response === undefined ? reject(error) : resolve(response)),
      );
    });
  }

  private async pause(tried: number, error: RailyardError): Promise<void> {
    const { clock, rng, onRetry } = this.options;
    const waitMs = Math.max(backoffMs(tried - 1, rng, RETRY), error.parts.retryAfterMs ?? 0);
    if (waitMs >= this.leftMs()) throw error;
    onRetry?.(error);
    await sleep(clock, waitMs);
  }

  private leftMs(): number {
    return this.options.deadlineAt() - this.options.clock.monotonic();
  }

  private callOptions(): Partial<CallOptions> {
    return { deadline: new Date(this.options.clock.now() + Math.max(0, this.leftMs())) };
  }

  private metadata(): Metadata {
    const metadata = new Metadata();
    if (this.options.token) metadata.set("authorization", `Bearer ${this.options.token}`);
    return metadata;
  }
}
