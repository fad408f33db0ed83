// The way of a call with one request and one answer through grpc-js: its message, then its end, in
// one go. grpc-js's own way waits between the answer and its status until the answer is written,
// and so writes twice, behind a stream object that nobody needs. Knows no RPC.
import { constants } from "node:http2";
import * as grpc from "@grpc/grpc-js";
import { asRailyardError, bug, type RailyardError, refuse } from "@railyard/lib/errors";
import type { Soon } from "@railyard/lib/soon";
import { type Below, streamBelow } from "./below.js";
import { type BoundRpc, type Gate, runCall } from "./call.js";
import type { ClientWait, ClientWaits } from "./client-waits.js";
import { RECEIVE_BYTES_MAX } from "./exchange.js";
import { ENDED_WELL, toServiceError } from "./grpc-status.js";
import { LateSignal } from "./late-signal.js";

/** Why the signal of a call whose client went away aborts: one error, since they are dear. */
export const GONE = refuse("unavailable", "the client went away");

/** A smaller answer is in the socket's hands at once; whether it is taken matters little. */
const LARGE_ANSWER_BYTES = 16 * 1024;

type Listener = Parameters<Below["start"]>[0];

/** What serves a call, and what it is waited for with. */
interface Service {
  readonly gate: Gate;
  readonly rpc: BoundRpc;
  readonly waits: ClientWaits;
}

/** A call that is served here, in place of its handler in grpc-js. */
export function oneAnswer(below: Below, service: Service): grpc.ServerInterceptingCall {
  return new OneAnswer(below, service);
}

class OneAnswer extends grpc.ServerInterceptingCall implements Listener, ClientWait {
  private readonly gone = new LateSignal();
  private metadata: grpc.Metadata | undefined;
  private request: Buffer | undefined;
  private isOver = false;

  constructor(
    private readonly below: Below,
    private readonly service: Service,
  ) {
    super(below);
  }

  /** Listens in place of the RPC's handler in grpc-js, which never hears of the call. */
  override start(): void {
    this.service.waits.begin(this, RECEIVE_BYTES_MAX);
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
    this.service.waits.end(this);
    // The stream of a call that was refused amid its request ends as well.
    if (this.isOver) return;
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
    this.isOver = true;
    this.service.waits.end(this);
    this.gone.end(GONE);
  }

  givenUp(why: RailyardError): void {
    giveUp(this.below, why);
  }

  private run(metadata: grpc.Metadata, request: Buffer): Soon<Buffer> {
    const { gone } = this;
    const { gate, rpc } = this.service;
    const remainingMs = Number(this.below.getDeadline()) - gate.clock.now();
    return runCall(gate, rpc, { metadata, requests: [request], write, remainingMs, gone });
  }

  private answer(bytes: Buffer): void {
    const isLarge = bytes.length > LARGE_ANSWER_BYTES;
    if (isLarge && !this.isOver) this.service.waits.begin(this, bytes.length);
    this.below.sendMessage(bytes, () => undefined);
    this.below.sendStatus(ENDED_WELL);
  }

  private refuse(thrown: unknown): void {
    this.below.sendStatus(toServiceError(asRailyardError(thrown)));
  }
}

/** Ends a call that waits for its client, which may be in the middle of its answer. */
export function giveUp(below: Below, why: RailyardError): void {
  const stream = streamBelow(below);
  if (stream?.headersSent) stream.close(constants.NGHTTP2_CANCEL);
  else below.sendStatus(toServiceError(why));
}

function write(): Promise<never> {
  return Promise.reject(bug("this call answers once"));
}
