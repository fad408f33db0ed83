// The walk of one call, on bytes and without a socket: who calls, may they, is the request well
// formed, then the handler under a deadline, then one log line. Knows no RPC by name.
import { hash } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { asRailyardError, RailyardError, refuse } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import { andThen, type Soon } from "@railyard/lib/soon";
import type { Principal, Role } from "../domain/lifecycle.js";
import type { Mutation, TenantCall } from "../service/context.js";
import { authorise, rolesFor } from "./access.js";
import type { AccountCalls } from "./account-calls.js";
import { type Exchange, exchange } from "./exchange.js";
import { wireName } from "./grpc-status.js";
import type { AnyHandler, AnyHandlers, MessageType, MutationRequest, Rpc } from "./handler.js";
import { LateSignal } from "./late-signal.js";
import type { Limits, RequestCheck } from "./limits.js";
import { addIdsMade, idsNamed } from "./named-ids.js";
import type { RpcDefinition } from "./services.js";
import { keepAsking } from "./still-allowed.js";

/** Longest time a call may take when its client asks for no shorter one. */
export const CALL_MS_MAX = 30_000;
/** The same for a call that answers with a stream; its client then calls again. */
export const DOWNLOAD_MS_MAX = 30 * 60_000;

const UUID_CHARS = 36;
/** RPCs that read many objects for one answer. */
const DEAR_READ = /^(List|Check)/;

/** Why the signal of a call that has ended aborts; nobody is told. */
const OVER = refuse("unavailable", "the call is over");

/** What every call of a listener needs. */
export interface Gate {
  /** The caller behind a bearer token; throws `unauthenticated`. */
  readonly authenticate: (secret: string) => Soon<Principal>;
  /** Calls `fn` whenever a token may have changed; returns how to end that. */
  readonly onTokenTouch: (id: string, fn: () => void) => () => void;
  readonly limits: Limits;
  readonly signPage: (text: string) => Buffer;
  readonly clock: Clock;
  readonly log: Log;
  /** Bounds what each account has under way; absent: nothing does. */
  readonly accountCalls?: AccountCalls;
}

/** One RPC with everything that was looked up for it at the start. */
export interface BoundRpc {
  readonly definition: RpcDefinition;
  /** `railyard.v1.InstanceService/GetInstance`. */
  readonly name: string;
  readonly roles: readonly Role[];
  readonly check: RequestCheck;
  /** It reads many objects. */
  readonly isDearRead: boolean;
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
    name: `${service}/${method}`,
    roles: rolesFor(service, method),
    check: limits.ofMethod(service, method),
    isDearRead: DEAR_READ.test(method),
    handler: handlers[key],
  };
}

/**
 * The encoded response, empty after a stream of responses; at once when nothing had to be waited
 * for. Throws only RailyardError. Writes the one log line.
 */
export function runCall(gate: Gate, rpc: BoundRpc, call: Incoming): Soon<Buffer> {
  const walk = new Walk(gate, rpc, call);
  try {
    const served = walk.serve();
    if (served instanceof Promise) return walk.inTime(served);
    walk.end();
    return served;
  } catch (thrown) {
    throw walk.end(asRailyardError(thrown));
  }
}

/** The fields of the log line; never bodies or tokens. */
interface Line {
  readonly rpc: string;
  principal?: string;
  requestId?: string;
  /** Of the objects that the call is about. */
  ids?: string[];
  ms?: number;
  code?: string;
  reason?: string;
}

class Walk {
  private readonly line: Line;
  private readonly startedAt: number;
  private readonly over: LateSignal;

  constructor(
    private readonly gate: Gate,
    private readonly rpc: BoundRpc,
    private readonly call: Incoming,
  ) {
    this.startedAt = gate.clock.monotonic();
    this.line = { rpc: rpc.name };
    this.over = new LateSignal(() => [call.gone.signal]);
  }

  serve(): Soon<Buffer> {
    const secret = bearerOf(this.call.metadata);
    return andThen(this.gate.authenticate(secret), (by) => this.serveTo(by, secret));
  }

  private serveTo(principal: Principal, secret: string): Soon<Buffer> {
    const { gate, rpc, over, line } = this;
    // A caller whose time went by meanwhile was told so, and counts on nothing being done.
    over.throwIfEnded();
    line.principal = principal.id;
    authorise(principal, rpc.roles);
    const { handler, check, definition } = rpc;
    if (!handler) throw refuse("unimplemented", `${definition.method} is not built`);
    const taken = (request: MutationRequest) => {
      // Not checked yet: of what is none, a line has no more room than for one.
      if (request.requestId) line.requestId = request.requestId.slice(0, UUID_CHARS);
      check(request);
      line.ids = idsNamed(request);
    };
    const by = new CallBy(principal, { gate, definition, over, line });
    const { requests, write } = this.call;
    const codec = definition.definition;
    const serve = () => exchange(gate.clock, { handler, codec, by, taken, requests, write });
    if (codec.responseStream) {
      void keepAsking(gate, { secret, id: principal.id }, over);
      // Streams stay, and are bounded by those who serve them.
      return serve();
    }
    const { account } = principal;
    const { accountCalls } = gate;
    if (!account || !accountCalls) return serve();
    if (!rpc.isDearRead) return accountCalls.run(account, serve);
    const inTurn = () => {
      this.throwIfOver();
      return serve();
    };
    return accountCalls.runInTurn(account, inTurn, () => over.signal);
  }

  /** For calls that have waited: nobody may listen any longer. */
  private throwIfOver(): void {
    this.over.throwIfEnded();
    this.call.gone.throwIfEnded();
  }

  /** What was served, if that is in time; counts from this moment. */
  inTime(served: Promise<Buffer>): Promise<Buffer> {
    const { method, definition } = this.rpc.definition;
    const longest = definition.responseStream ? DOWNLOAD_MS_MAX : CALL_MS_MAX;
    const ms = Math.max(0, Math.min(longest, this.call.remainingMs));
    return withDeadline(this.gate.clock, { ms, what: method }, served).then(
      (bytes) => {
        this.end();
        return bytes;
      },
      (thrown) => {
        throw this.end(asRailyardError(thrown));
      },
    );
  }

  /** Ends the call for whoever still works for it; answers the failure. */
  end<Failure extends RailyardError | undefined>(failure?: Failure): Failure | undefined {
    const { gate, line } = this;
    this.over.end(OVER);
    line.ms = Math.round(gate.clock.monotonic() - this.startedAt);
    line.code = wireName(failure?.code);
    logLine(gate.log, line, failure);
    return failure;
  }
}

/** The secret of the one `authorization: Bearer …` header. */
function bearerOf(metadata: Metadata): string {
  const [header, ...more] = metadata.get("authorization");
  const secret = /^bearer +(\S+)$/i.exec(String(header ?? ""))?.[1];
  if (!secret || more.length > 0) throw refuse("unauthenticated", "a bearer token is required");
  return secret;
}

interface Behind {
  readonly gate: Gate;
  readonly definition: RpcDefinition;
  readonly over: LateSignal;
  readonly line: Line;
}

/** The call as its handler sees it. */
class CallBy implements Rpc {
  constructor(
    readonly principal: Principal,
    private readonly behind: Behind,
  ) {}

  get method(): string {
    return this.behind.definition.method;
  }

  get signal(): AbortSignal {
    return this.behind.over.signal;
  }

  signPage(text: string): Buffer {
    return this.behind.gate.signPage(text);
  }

  tenant(): TenantCall {
    const { principal } = this;
    const { account } = principal;
    if (!account) throw refuse("forbidden", "the credentials belong to no account");
    return { principal, account };
  }

  mutation<Value, Response>(
    request: MutationRequest,
    response: MessageType<Response>,
    answer: (value: Value) => Response,
  ): Mutation<Value, Response> {
    const encode = (made: Response) => response.encode(made).finish();
    const decode = (bytes: Uint8Array) => response.decode(bytes);
    const answerAndNote = (value: Value) => {
      const made = answer(value);
      this.note(request, made as object);
      return made;
    };
    return { ...this.head(request), answer: answerAndNote, encode, decode };
  }

  encodedMutation<Value>(
    request: MutationRequest,
    answer: (value: Value) => Uint8Array,
    made: (value: Value) => object,
  ): Mutation<Value, Uint8Array> {
    const answerAndNote = (value: Value) => {
      this.note(request, made(value));
      return answer(value);
    };
    return { ...this.head(request), answer: answerAndNote, encode: same, decode: same };
  }

  /** Puts what the call has made into its log line. */
  private note({ validateOnly }: MutationRequest, made: object): void {
    if (!validateOnly && this.behind.line.ids) addIdsMade(this.behind.line.ids, made);
  }

  private head(request: MutationRequest) {
    const { method, definition } = this.behind.definition;
    return {
      principal: this.principal,
      method,
      requestId: request.requestId?.toLowerCase() || undefined,
      // Only repeats are compared, and only a request with an id can be repeated.
      requestHash: request.requestId ? hashOf(definition, request) : "",
      validateOnly: request.validateOnly ?? false,
    };
  }
}

function same(bytes: Uint8Array): Uint8Array {
  return bytes;
}

function hashOf({ requestSerialize }: RpcDefinition["definition"], request: object): string {
  return hash(
    "sha256",
    requestSerialize({ ...request, requestId: "", validateOnly: false }),
    "hex",
  );
}

function logLine(log: Log, line: Line, failure: RailyardError | undefined): void {
  if (!failure) {
    log.info(line, "rpc");
    return;
  }
  line.reason = failure.reason;
  const { cause, detail } = failure.parts;
  const isBug = failure.code === "bug" || (cause instanceof RailyardError && cause.code === "bug");
  if (isBug) log.error({ ...line, err: failure }, "rpc");
  else log.info({ ...line, ...(detail && { detail }) }, "rpc");
}
