// Where every call passes on its way into grpc-js's hands: its own endings get their reasons, and
// none of its requests is waited for without end. Calls with one request and one answer go no
// further. Knows no RPC.
import { constants } from "node:http2";
import type * as grpc from "@grpc/grpc-js";
import { type Below, streamBelow } from "./below.js";
import type { BoundRpc, Gate } from "./call.js";
import type { ClientWait, ClientWaits } from "./client-waits.js";
import type { ConnectionLives } from "./connection-life.js";
import { RECEIVE_BYTES_MAX } from "./exchange.js";
import { ENDED_WELL, type Ending, explained } from "./grpc-status.js";
import { giveUp, oneAnswer } from "./one-answer.js";

interface Passing {
  readonly gate: Gate;
  /** RPCs with one request and one answer, by path. */
  readonly single: ReadonlyMap<string, BoundRpc>;
  readonly waits: ClientWaits;
  readonly lives: ConnectionLives;
}

/** The interceptor that must be nearest to grpc-js's own calls. */
export function interceptor({ gate, single, waits, lives }: Passing): grpc.ServerInterceptor {
  return ({ path, requestStream }, below) => {
    below.sendStatus = sendExplained;
    const rpc = single.get(path);
    if (rpc) return oneAnswer(below, { gate, rpc, waits });
    const stream = streamBelow(below);
    if (stream) lives.holdFor(stream);
    waitForRequest(below, requestStream, waits);
    // The type asks for a class where any call will do; one around this would hide its stream.
    return below as grpc.ServerInterceptingCall;
  };
}

/**
 * Stands before a call's own method, which grpc-js (1.14, `server-interceptors`) also calls itself:
 * at a deadline, or for bytes that it cannot take in.
 */
function sendExplained(this: Below, ending: Ending): void {
  const { sendStatus } = Object.getPrototypeOf(this) as Below;
  const told = explained(ending);
  if (told === ENDED_WELL) {
    sendStatus.call(this, told);
    return;
  }
  const stream = streamBelow(this);
  const isBegun = stream?.headersSent ?? true;
  sendStatus.call(this, told);
  // Whoever has not sent all of a refused request need not; what it holds is let go.
  if (!isBegun && !stream?.readableEnded) stream?.close(constants.NGHTTP2_NO_ERROR);
}

/**
 * Bounds the time until the one request has come whole, or the first one of a stream. A call that
 * was refused before is not begun any more when its stream ends.
 */
function waitForRequest(below: Below, isStream: boolean, waits: ClientWaits): void {
  const wait: ClientWait = { givenUp: (why) => giveUp(below, why) };
  const start = below.start;
  let isOver = false;
  below.start = (inside) => {
    waits.begin(wait, RECEIVE_BYTES_MAX);
    start.call(below, {
      onReceiveMetadata: (metadata) => inside.onReceiveMetadata(metadata),
      onReceiveMessage(message) {
        if (isStream) waits.end(wait);
        inside.onReceiveMessage(message);
      },
      onReceiveHalfClose() {
        waits.end(wait);
        if (!isOver) inside.onReceiveHalfClose();
      },
      onCancel() {
        isOver = true;
        waits.end(wait);
        inside.onCancel();
      },
    });
  };
}
