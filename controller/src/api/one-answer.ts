// The way of a call with one request and one answer through grpc-js: its message, then its end, in
// one go. grpc-js's own way waits between the answer and its status until the answer is written,
// and so writes twice, behind a stream object that nobody needs. Knows no RPC.
import * as grpc from "@grpc/grpc-js";
import { asRailyardError, bug, refuse } from "@railyard/lib/errors";
import type { Soon } from "@railyard/lib/soon";
import { type BoundRpc, type Gate, runCall } from "./call.js";
import { ENDED_WELL, toServiceError } from "./grpc-status.js";
import { LateSignal } from "./late-signal.js";

/** Why the signal of a call whose client went away aborts: one error, since they are dear. */
export const GONE = refuse("unavailable", "the client went away");

type Below = grpc.ServerInterceptingCallInterface;
type Listener = Parameters<Below["start"]>[0];

/** Serves these RPCs, by their path, in place of their handlers. */
export function oneAnswer(gate: Gate, rpcs: ReadonlyMap<string, BoundRpc>): grpc.ServerInterceptor {
  return ({ path }, below) => {
    const rpc = rpcs.get(path);
    if (rpc) return new OneAnswer(below, gate, rpc);
    // The type asks for a class where any call will do; one around this would hide its stream.
    return below as grpc.ServerInterceptingCall;
  };
}

class OneAnswer extends grpc.ServerInterceptingCall implements Listener {
  private readonly gone = new LateSignal();
  private metadata: grpc.Metadata | undefined;
  private request: Buffer | undefined;

  constructor(
    private readonly below: Below,
    private readonly gate: Gate,
    private readonly rpc: BoundRpc,
  ) {
    super(below);
  }

  /** Listens in place of the RPC's handler in grpc-js, which never hears of the call. */
  override start(): void {
    this.below.start(this);
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.metadata = metadata;
    this.below.startRead();
  }

  onReceiveMessage(request: Buffer): void {
    if (this.request) this.refuse(refuse("unimplemented", "more than one request in a call"));
    this.request = request;
    this.below.startRead();
  }

  onReceiveHalfClose(): void {
    const { metadata, request } = this;
    if (!metadata || !request) {
      this.refuse(refuse("unimplemented", "a call without its request"));
      return;
    }
    try {
      const answer = this.run(metadata, request);
      if (!(answer instanceof Promise)) this.answer(answer);
      else {
        answer.then(
          (bytes) => this.answer(bytes),
          (thrown) => this.refuse(thrown),
        );
      }
    } catch (thrown) {
      this.refuse(thrown);
    }
  }

  /** At the latest when the call has ended, however it did. */
  onCancel(): void {
    this.gone.end(GONE);
  }

  private run(metadata: grpc.Metadata, request: Buffer): Soon<Buffer> {
    const { gate, rpc, gone } = this;
    const remainingMs = Number(this.below.getDeadline()) - gate.clock.now();
    return runCall(gate, rpc, { metadata, requests: [request], write, remainingMs, gone });
  }

  private answer(bytes: Buffer): void {
    this.below.sendMessage(bytes, () => undefined);
    this.below.sendStatus(ENDED_WELL);
  }

  private refuse(thrown: unknown): void {
    this.below.sendStatus(toServiceError(asRailyardError(thrown)));
  }
}

function write(): Promise<never> {
  return Promise.reject(bug("this call answers once"));
}
