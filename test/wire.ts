// A gRPC caller for tests that keeps every byte a server ever sent it: messages, error texts,
// details, metadata. It knows no noun and retries nothing.
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "@railyard/proto/gen/google/rpc/error_details";
import { Status } from "@railyard/proto/gen/google/rpc/status";

/** A method as the generated service definitions describe it. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** A refused call, its details decoded. */
export class WireError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly details: {
      readonly info: ErrorInfo | undefined;
      readonly fields: readonly { readonly field: string; readonly description: string }[];
      readonly quota: QuotaFailure | undefined;
      readonly holders: PreconditionFailure | undefined;
      readonly resource: ResourceInfo | undefined;
      readonly retry: RetryInfo | undefined;
    },
  ) {
    super(message);
  }

  get reason(): string {
    return this.details.info?.reason ?? "";
  }

  get fields(): string[] {
    return this.details.fields.map((f) => f.field).sort();
  }
}

/** A stream of responses as far as it was read. */
export interface WireStream<Response> {
  /** To pause, resume or cancel it. */
  readonly call: ClientReadableStream<Response>;
  readonly messages: readonly Response[];
  /** How it ended: undefined for well. */
  readonly ended: Promise<WireError | undefined>;
}

/** A stream both ways as far as it was read. */
export interface WireDuplex<Request, Response> {
  /** To write requests, end, pause or cancel it. */
  readonly call: ClientDuplexStream<Request, Response>;
  readonly messages: readonly Response[];
  /** How it ended: undefined for well. */
  readonly ended: Promise<WireError | undefined>;
}

/** As long as the server lets a call go on: on a busy machine a shorter one ends good calls. */
const DEADLINE_MS = 30_000;

export class Wire {
  /** Everything received so far. */
  readonly received: Buffer[] = [];
  private readonly client: Client;

  constructor(
    readonly server: string,
    readonly token: string | undefined,
  ) {
    this.client = new Client(server, credentials.createInsecure());
  }

  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    deadlineMs = DEADLINE_MS,
  ): Promise<Response> {
    const metadata = this.metadata();
    return new Promise((resolve, reject) => {
      const call = this.client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        (bytes: Buffer) => {
          this.received.push(bytes);
          return method.responseDeserialize(bytes);
        },
        request,
        metadata,
        { deadline: Date.now() + deadlineMs },
        (err, response) => {
          if (err) reject(this.refusal(err));
          else if (response !== undefined) resolve(response);
        },
      );
      call.on("metadata", (m) => this.keep(m));
      call.on("status", (s) => this.keep(s.metadata));
    });
  }

  /** The refusal of a call that must not succeed. */
  async refused<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
  ): Promise<WireError> {
    try {
      await this.call(method, request);
    } catch (err) {
      if (err instanceof WireError) return err;
      throw err;
    }
    throw new Error(`${method.path} was expected to be refused`);
  }

  /** Begins to read a stream of responses. */
  stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
  ): WireStream<Response> {
    const call = this.client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      (bytes: Buffer) => {
        this.received.push(bytes);
        return method.responseDeserialize(bytes);
      },
      request,
      this.metadata(),
    );
    const messages: Response[] = [];
    call.on("data", (message: Response) => messages.push(message));
    call.on("metadata", (m) => this.keep(m));
    const ended = new Promise<WireError | undefined>((resolve) => {
      call.on("error", (err: ServiceError) => resolve(this.refusal(err)));
      call.on("end", () => resolve(undefined));
    });
    return { call, messages, ended };
  }

  /** Opens a stream both ways. */
  duplex<Request, Response>(method: Method<Request, Response>): WireDuplex<Request, Response> {
    const call = this.client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      (bytes: Buffer) => {
        this.received.push(bytes);
        return method.responseDeserialize(bytes);
      },
      this.metadata(),
    );
    const messages: Response[] = [];
    call.on("data", (message: Response) => messages.push(message));
    call.on("metadata", (m) => this.keep(m));
    const ended = new Promise<WireError | undefined>((resolve) => {
      call.on("error", (err: ServiceError) => resolve(this.refusal(err)));
      call.on("end", () => resolve(undefined));
    });
    return { call, messages, ended };
  }

  close(): void {
    this.client.close();
  }

  /** Sends a stream of requests, and resolves with the one answer. */
  upload<Request, Response>(
    method: Method<Request, Response>,
    requests: readonly Request[],
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const call = this.client.makeClientStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        this.metadata(),
        { deadline: Date.now() + DEADLINE_MS },
        (err, response) => {
          if (err) reject(this.refusal(err));
          else if (response !== undefined) resolve(response);
        },
      );
      for (const request of requests) call.write(request);
      call.end();
    });
  }

  private metadata(): Metadata {
    const metadata = new Metadata();
    if (this.token) metadata.set("authorization", `Bearer ${this.token}`);
    return metadata;
  }

  private keep(metadata: Metadata): void {
    for (const key of Object.keys(metadata.getMap())) {
      for (const value of metadata.get(key)) this.received.push(Buffer.from(value));
    }
  }

  private refusal(err: ServiceError): WireError {
    this.received.push(Buffer.from(err.details));
    const bytes = err.metadata.get("grpc-status-details-bin")[0];
    const status = Status.decode(Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0));
    const detail = (type: string) => status.details.find((d) => d.typeUrl.endsWith(`.${type}`));
    const decode = <T>(type: string, message: { decode(b: Uint8Array): T }) => {
      const found = detail(type);
      return found && message.decode(found.value);
    };
    return new WireError(err.code, err.details, {
      info: decode("ErrorInfo", ErrorInfo),
      fields: decode("BadRequest", BadRequest)?.fieldViolations ?? [],
      quota: decode("QuotaFailure", QuotaFailure),
      holders: decode("PreconditionFailure", PreconditionFailure),
      resource: decode("ResourceInfo", ResourceInfo),
      retry: decode("RetryInfo", RetryInfo),
    });
  }
}
