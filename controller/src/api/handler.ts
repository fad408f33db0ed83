// What one RPC handler is: decoded requests in, response messages out. The server around it has
// already authenticated the caller, checked the limits and set the deadline. No rules, no SQL here.
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
} from "@grpc/grpc-js";
import type { Soon } from "@railyard/lib/soon";
import type { Principal } from "../domain/lifecycle.js";
import type { Mutation, TenantCall } from "../service/context.js";

/** A generated message type: what ts-proto exports beside each interface. */
export interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** Request fields that every mutation may have. */
export interface MutationRequest {
  readonly requestId?: string;
  readonly validateOnly?: boolean;
}

/** One call as a handler sees it. */
export interface Rpc {
  readonly principal: Principal;
  /** RPC name without its service, e.g. `GetClusterNetwork`. */
  readonly method: string;
  /** Aborts at the deadline or when the client goes away. */
  readonly signal: AbortSignal;
  /** The MAC that binds page tokens to this server; see paging.ts. */
  signPage(text: string): Buffer;
  /** The tenant behind the call; throws `forbidden` for a caller without an account. */
  tenant(): TenantCall;
  /** The call as a mutation: `answer` turns the use case's value into the response message. */
  mutation<Value, Response>(
    request: MutationRequest,
    response: MessageType<Response>,
    answer: (value: Value) => Response,
  ): Mutation<Value, Response>;
  /** The same where `answer` makes the encoded response, of the objects that `made` holds. */
  encodedMutation<Value>(
    request: MutationRequest,
    answer: (value: Value) => Uint8Array,
    made: (value: Value) => object,
  ): Mutation<Value, Uint8Array>;
}

/** Answers with a response, or with one that is encoded already; at once when it is at hand. */
export type UnaryHandler<Request, Response> = (
  request: Request,
  rpc: Rpc,
) => Soon<Response | Uint8Array>;

/**
 * Takes a stream of messages: each is checked as it is read, and their sum is bounded. A stream
 * that its client cut can end like a whole one: what it carries must show that it is complete.
 */
export type UploadHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  rpc: Rpc,
) => Promise<Response>;

/**
 * Answers with a stream of messages, which ends when it resolves. `send` answers
 * undefined when the reader can take the next one, else it resolves when it can; it throws once the
 * reader is gone, or has not read for too long. Bytes are
 * a response encoded before.
 */
export type DownloadHandler<Request, Response> = (
  request: Request,
  rpc: Rpc,
  send: (response: Response | Uint8Array) => Promise<void> | undefined,
) => Promise<void>;

/**
 * Takes a stream of messages, each checked as it is read but their sum not bounded, and answers
 * with one: reads no faster than it can use, and sends as a `DownloadHandler` does.
 */
export type DuplexHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  rpc: Rpc,
  send: (response: Response | Uint8Array) => Promise<void> | undefined,
) => Promise<void>;

/** A handler of some RPC; the RPC's definition says which. */
export type AnyHandler =
  | UnaryHandler<never, object>
  | UploadHandler<never, object>
  | DownloadHandler<never, object>
  | DuplexHandler<never, object>;

/** Handlers of any services, by RPC name in lower camel case, which is unique per listener. */
export type AnyHandlers = Readonly<Record<string, AnyHandler | undefined>>;

/**
 * Handlers of one generated service (`XServiceServer`), by RPC name in lower camel case. What is
 * missing answers UNIMPLEMENTED.
 */
export type Handlers<Service> = {
  readonly [Name in keyof Service as string extends Name ? never : Name]?: HandlerOf<Service[Name]>;
};

type HandlerOf<Call> =
  Call extends handleUnaryCall<infer Request, infer Response>
    ? UnaryHandler<Request, Response>
    : Call extends handleClientStreamingCall<infer Request, infer Response>
      ? UploadHandler<Request, Response>
      : Call extends handleServerStreamingCall<infer Request, infer Response>
        ? DownloadHandler<Request, Response>
        : Call extends handleBidiStreamingCall<infer Request, infer Response>
          ? DuplexHandler<Request, Response>
          : never;
