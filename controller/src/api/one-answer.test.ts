// Tests of a call with one request and one answer, in frames of HTTP/2: what does not come as one
// request is refused, and a client that goes away ends the call.
import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { systemClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import {
  GetInstanceRequest,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import { contractImage } from "@railyard/proto/image";
import { afterEach, expect, test } from "vitest";
import { inField } from "./encoded-field.js";
import type { AnyHandlers, Rpc } from "./handler.js";
import { Limits } from "./limits.js";
import { ApiServer } from "./server.js";

const limits = new Limits(contractImage());
const HEADERS = {
  ":method": "POST",
  ":path": InstanceServiceService.getInstance.path,
  "content-type": "application/grpc",
  te: "trailers",
  authorization: "Bearer any",
};
const ID = "inst-0123456789abcdefghjkmnpq";
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function open(handlers: AnyHandlers): Promise<ClientHttp2Session> {
  const server = new ApiServer({
    ...{ services: [InstanceServiceService], handlers, limits, clock: systemClock() },
    ...{ signPage: () => Buffer.alloc(0), log: silentLog(), reflect: undefined, tls: undefined },
    health: { store: async () => true, dispatch: () => false },
    onTokenTouch: () => () => undefined,
    authenticate: () => ({ id: "tok", account: "acc" as AccountId, roles: ["tenant-viewer"] }),
  });
  ends.push(() => server.stop());
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const session = connect(`http://127.0.0.1:${port}`);
  ends.push(() => session.destroy());
  return session;
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const REQUEST = framed(GetInstanceRequest.encode({ id: ID }).finish());

/** The bytes and the status that come back for a body. */
function answered(session: ClientHttp2Session, body: Buffer) {
  return new Promise<{ readonly bytes: Buffer; readonly status: unknown }>((resolve) => {
    const stream = session.request(HEADERS);
    const got: Buffer[] = [];
    let status: unknown;
    stream.on("response", (headers) => {
      status = headers["grpc-status"];
    });
    stream.on("trailers", (headers) => {
      status = headers["grpc-status"];
    });
    stream.on("data", (bytes: Buffer) => got.push(bytes));
    stream.on("close", () => resolve({ bytes: Buffer.concat(got), status }));
    stream.end(body);
  });
}

test("one request has one answer and its end, at hand or waited for", async () => {
  const bytes = inField(1, [Buffer.from("seen")]);
  for (const getInstance of [() => bytes, async () => bytes]) {
    const session = await open({ getInstance });
    expect(await answered(session, REQUEST)).toEqual({ bytes: framed(bytes), status: "0" });
  }
});

test("no request, and a second one, are refused", async () => {
  const session = await open({ getInstance: () => Buffer.alloc(0) });
  const nothing = Buffer.alloc(0);
  for (const body of [nothing, Buffer.concat([REQUEST, REQUEST])]) {
    expect(await answered(session, body)).toEqual({ bytes: nothing, status: "12" });
  }
});

test("a handler that throws at once is refused with what it threw", async () => {
  const session = await open({
    getInstance: () => {
      throw new Error("unforeseen");
    },
  });
  expect((await answered(session, REQUEST)).status).toBe("13");
});

test("the signal of a call aborts when its client goes away", async () => {
  let reached = (_: AbortSignal) => {};
  const signalOf = new Promise<AbortSignal>((resolve) => {
    reached = resolve;
  });
  const getInstance = (_: unknown, { signal }: Rpc) => {
    reached(signal);
    return new Promise<never>(() => undefined);
  };
  const stream = (await open({ getInstance })).request(HEADERS);
  stream.on("error", () => undefined).end(REQUEST);
  const signal = await signalOf;
  stream.close(constants.NGHTTP2_CANCEL);
  await once(signal, "abort");
  expect(signal.reason).toMatchObject({ message: "the client went away" });
});
