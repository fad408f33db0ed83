// The walk of one call, on bytes and without a socket: who calls, may they, is the request well
// formed, then the handler under a deadline, then one log line. Knows no RPC by name.
import { createHash } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { asRailyardError, RailyardError, refuse } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import type { Principal, Role } from "../domain/lifecycle.js";
import type { Mutation } from "../service/context.js";
import { authorise, rolesFor } from "./access.js";
import { type Exchange, exchange } from "./exchange.js";
import { wireName } from "./grpc-status.js";
import type { AnyHandler, AnyHandlers, MessageType, MutationRequest, Rpc } from "./handler.js";
import { LateSignal } from "./late-signal.js";
import type { Limits, RequestCheck } from "./limits.js";
import type { RpcDefinition } from "./services.js";
import { keepAsking } from "./still-allowed.js";

/** Longest time a call may take when its client asks for no shorter one. */
export const CALL_MS_MAX = 30_000;
/** The same for a call that answers with a stream; its client then calls again. */
export const DOWNLOAD_MS_MAX = 30 * 60_000;

/** Why the signal of a call that has ended aborts; nobody is told. */
const OVER = refuse("unavailable", "the call is over");

/** What every call of a listener needs. */
export interface Gate {
  /** The caller behind a bearer token; throws `unauthenticated`. */
  readonly authenticate: (secret: string) => Promise<Principal>;
  /** Calls `fn` whenever a token may have changed; returns how to end that. */
  readonly onTokenTouch: (id: string, fn: () => void) => () => void;
  readonly limits: Limits;
  readonly signPage: (text: string) => Buffer;
  readonly clock: Clock;
  readonly log: Log;
}

/** One RPC with everything that was looked up for it at the start. */
export interface BoundRpc {
  readonly definition: RpcDefinition;
  readonly roles: readonly Role[];
  readonly check: RequestCheck;
  /** Undefined: not built. */
  readonly handler: AnyHandler | undefined;
}

/** One call as it came in. */
export interface Incoming extends Pick<Exchange, "requests" | "write"> {
  readonly metadata: Metadata;
  /** Milliseconds that the client is willing to wait. */
  readonly remainingMs: number;
  /** Ends when the client goes away, or a stream to it must end; its reason is an error. */
  readonly gone: LateSignal;
}

/** Looks up roles, limits and handler; throws `bug` when the access table lacks the RPC. */
export function bindRpc(
  definition: RpcDefinition,
  limits: Limits,
  handlers: AnyHandlers,
): BoundRpc {
  const { service, method, key } = definition;
  return {
    definition,
    roles: rolesFor(service, method),
    check: limits.ofMethod(service, method),
    handler: handlers[key],
  };
}

/**
 * Resolves with the encoded response, empty after a stream of responses. Throws only RailyardError.
 * Writes the one log line.
 */
export async function runCall(gate: Gate, rpc: BoundRpc, call: Incoming): Promise<Buffer> {
  const startedAt = gate.clock.monotonic();
  const line: Line = { rpc: nameOf(rpc) };
  let failure: RailyardError | undefined;
  try {
    return await walk(gate, rpc, { ...call, line });
  } catch (thrown) {
    failure = asRailyardError(thrown);
    throw failure;
  } finally {
    line.ms = Math.round(gate.clock.monotonic() - startedAt);
    line.code = wireName(failure?.code);
    logLine(gate.log, { line, failure });
  }
}

function nameOf({ definition: { service, method } }: BoundRpc): string {
  return `${service}/${method}`;
}

/** The fields of the log line; never bodies or tokens. */
interface Line {
  readonly rpc: string;
  principal?: string;
  requestId?: string;
  ms?: number;
  code?: string;
  reason?: string;
}

type Walk = Incoming & { readonly line: Line };

async function walk(gate: Gate, rpc: BoundRpc, call: Walk): Promise<Buffer> {
  const ms = Math.max(0, Math.min(longestMs(rpc), call.remainingMs));
  const limit = { ms, what: rpc.definition.method };
  const over = new LateSignal(() => [call.gone.signal]);
  try {
    return await withDeadline(gate.clock, limit, serve(gate, rpc, { ...call, over }));
  } finally {
    over.end(OVER);
  }
}

async function serve(
  gate: Gate,
  rpc: BoundRpc,
  call: Walk & { readonly over: LateSignal },
): Promise<Buffer> {
  const { over } = call;
  const secret = bearerOf(call.metadata);
  const principal = await gate.authenticate(secret);
  // A caller whose time went by meanwhile was told so, and counts on nothing being done.
  over.throwIfEnded();
  call.line.principal = principal.id;
  authorise(principal, rpc.roles);
  const { handler, check, definition } = rpc;
  if (!handler) throw refuse("unimplemented", `${definition.method} is not built`);
  const taken = (request: MutationRequest) => {
    if (request.requestId) call.line.requestId = request.requestId;
    check(request);
  };
  const by = rpcOf(gate, rpc, { principal, over });
  const { requests, write } = call;
  const { definition: codec } = definition;
  if (codec.responseStream) void keepAsking(gate, { secret, id: principal.id }, over);
  return exchange(gate.clock, { handler, codec, by, taken, requests, write });
}

function longestMs({ definition }: BoundRpc): number {
  return definition.definition.responseStream ? DOWNLOAD_MS_MAX : CALL_MS_MAX;
}

/** The secret of the one `authorization: Bearer …` header. */
function bearerOf(metadata: Metadata): string {
  const [header, ...more] = metadata.get("authorization");
  const secret = /^bearer +(\S+)$/i.exec(String(header ?? ""))?.[1];
  if (!secret || more.length > 0) throw refuse("unauthenticated", "a bearer token is required");
  return secret;
}

function rpcOf(
  gate: Gate,
  rpc: BoundRpc,
  by: { readonly principal: Principal; readonly over: LateSignal },
): Rpc {
  const { principal, over } = by;
  const { method, definition } = rpc.definition;
  return {
    principal,
    method,
    get signal() {
      return over.signal;
    },
    signPage: gate.signPage,
    tenant() {
      if (!principal.account) throw refuse("forbidden", "the credentials belong to no account");
      return { principal, account: principal.account };
    },
    mutation<Value, Response>(
      request: MutationRequest,
      response: MessageType<Response>,
      answer: (value: Value) => Response,
    ): Mutation<Value, Response> {
      return {
        principal,
        method,
        requestId: request.requestId?.toLowerCase() || undefined,
        // Only repeats are compared, and only a request with an id can be repeated.
        requestHash: request.requestId ? hashOf(definition, request) : "",
        validateOnly: request.validateOnly ?? false,
        answer,
        encode: (made) => response.encode(made).finish(),
        decode: (bytes) => response.decode(bytes),
      };
    },
  };
}

function hashOf({ requestSerialize }: RpcDefinition["definition"], request: object): string {
  const bytes = requestSerialize({ ...request, requestId: "", validateOnly: false });
  return createHash("sha256").update(bytes).digest("hex");
}

function logLine(
  log: Log,
  { line, failure }: { line: Line; failure: RailyardError | undefined },
): void {
  if (!failure) {
    log.info(line, "rpc");
    return;
  }
  line.reason = failure.reason;
  const { cause } = failure.parts;
  const isBug = failure.code === "bug" || (cause instanceof RailyardError && cause.code === "bug");
  if (isBug) log.error({ ...line, err: failure }, "rpc");
  else log.info({ ...line, ...(failure.parts.detail && { detail: failure.parts.detail }) }, "rpc");
}
