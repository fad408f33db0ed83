// Tests of what stands before and around grpc-js, in frames of HTTP/2: every refusal says why, no
// client is waited for without end, and what one client does harms no other.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { type Clock, ManualClock, settle, systemClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { ErrorInfo } from "@railyard/proto/gen/google/rpc/error_details";
import { Status } from "@railyard/proto/gen/google/rpc/status";
import { HealthService } from "@railyard/proto/gen/grpc/health/v1/health";
import {
  GetInstanceRequest,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import { WatchServiceService } from "@railyard/proto/gen/railyard/v1/watch";
import { contractImage } from "@railyard/proto/image";
import { afterEach, expect, test } from "vitest";
import { CALL_MS_MAX } from "./call.js";
import { CLIENT_MS_MAX } from "./client-waits.js";
import { CONNECTIONS_PER_PEER_MAX } from "./connections.js";
import { RECEIVE_BYTES_MAX } from "./exchange.js";
import { DETAILS_KEY } from "./grpc-status.js";
import type { AnyHandlers } from "./handler.js";
import { HEALTH_WATCHES_MAX } from "./health.js";
import { Limits } from "./limits.js";
import { CONVERSATION_MS_MAX, CONVERSATIONS_MAX } from "./reflection.js";
import { ApiServer } from "./server.js";

const image = contractImage();
const limits = new Limits(image);
const GET = InstanceServiceService.getInstance.path;
const WATCH = WatchServiceService.watchObjects.path;
const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const ID = "inst-0123456789abcdefghjkmnpq";
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const ANSWER = Buffer.from("seen");

async function listen(handlers: AnyHandlers = {}, clock: Clock = systemClock()): Promise<number> {
  const server = new ApiServer({
    services: [InstanceServiceService, WatchServiceService],
    handlers: { getInstance: () => ANSWER, ...handlers },
    ...{ limits, clock, signPage: () => Buffer.alloc(0), log: silentLog() },
    ...{ reflect: image, tls: undefined },
    health: { store: async () => true, dispatch: () => false },
    onTokenTouch: () => () => undefined,
    authenticate: () => ({ id: "tok", account: "acc" as AccountId, roles: ["tenant-viewer"] }),
  });
  // The clock may be made-up, and calls be left open.
  ends.push(async () => {
    const stopping = server.stop();
    if (clock instanceof ManualClock) await clock.advance(10_000);
    await stopping;
  });
  return server.listen({ host: "127.0.0.1", port: 0 });
}

function session(port: number): ClientHttp2Session {
  const made = connect(`http://127.0.0.1:${port}`);
  made.on("error", () => undefined);
  ends.push(() => made.destroy());
  return made;
}

function framed(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const REQUEST = framed(GetInstanceRequest.encode({ id: ID }).finish());

interface Outcome {
  readonly status: number;
  readonly reason: string;
  readonly rst: number | undefined;
}

function begin(at: ClientHttp2Session, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const stream = at.request({
    ...{ ":method": "POST", ":path": GET, te: "trailers", authorization: "Bearer any" },
    ...{ "content-type": "application/grpc", ...headers },
  });
  return stream.on("error", () => undefined);
}

/** How a call ended: its status, the reason in its details, and what its stream was reset with. */
function ended(stream: ClientHttp2Stream): Promise<Outcome> {
  return new Promise((resolve) => {
    let status = -1;
    let reason = "";
    const told = (headers: OutgoingHttpHeaders) => {
      if (headers["grpc-status"] === undefined) return;
      status = Number(headers["grpc-status"]);
      const details = Buffer.from(String(headers[DETAILS_KEY] ?? ""), "base64");
      const [info] = Status.decode(details).details;
      if (info) reason = ErrorInfo.decode(info.value).reason;
    };
    stream.on("response", told).on("trailers", told).resume();
    stream.on("close", () => resolve({ status, reason, rst: stream.rstCode }));
  });
}

function answered(at: ClientHttp2Session, body: Buffer, headers: OutgoingHttpHeaders = {}) {
  const stream = begin(at, headers);
  const outcome = ended(stream);
  stream.end(body);
  return outcome;
}

test("whatever a request is that cannot be taken in, its refusal says why", async () => {
  const at = session(await listen());
  const huge = Buffer.alloc(RECEIVE_BYTES_MAX + 1);
  const zipped = { "grpc-encoding": "gzip" };
  const cases: [string, Buffer, OutgoingHttpHeaders, number, string][] = [
    ["well formed", REQUEST, {}, 0, ""],
    ["no message", framed(Buffer.from([0xff])), {}, 3, "FIELD_INVALID"],
    ["too large", framed(huge), {}, 8, "MESSAGE_TOO_LARGE"],
    ["said to be too large", Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), {}, 8, "MESSAGE_TOO_LARGE"],
    ["no such method", REQUEST, { ":path": "/railyard.v1.Nothing/Get" }, 12, "NOT_IMPLEMENTED"],
    ["a path of other signs", REQUEST, { ":path": "/%00/\u00ff\u00e4?#" }, 12, "NOT_IMPLEMENTED"],
    ["compressed", framed(gzipSync(REQUEST), 1), zipped, 12, "NOT_IMPLEMENTED"],
    ["compressed garbage", framed(huge.subarray(0, 99), 1), zipped, 12, "NOT_IMPLEMENTED"],
    ["unknown compression", REQUEST, { "grpc-encoding": "snappy" }, 12, "NOT_IMPLEMENTED"],
    ["not compressed, in so many words", REQUEST, { "grpc-encoding": "identity" }, 0, ""],
    ["no timeout", REQUEST, { "grpc-timeout": "soon" }, 3, "FIELD_INVALID"],
    ["the longest timeout", REQUEST, { "grpc-timeout": "99999999H" }, 0, ""],
    ["a long timeout", REQUEST, { "grpc-timeout": "9999999S" }, 0, ""],
    ["no request", Buffer.alloc(0), {}, 12, "NOT_IMPLEMENTED"],
    ["half a request", REQUEST.subarray(0, 9), {}, 12, "NOT_IMPLEMENTED"],
    ["two requests", Buffer.concat([REQUEST, REQUEST]), {}, 12, "NOT_IMPLEMENTED"],
    ["two requests of a stream", twice(framed(Buffer.alloc(0))), watching(), 12, "NOT_IMPLEMENTED"],
    ["no health request", framed(Buffer.from([0xff])), checking(), 3, "FIELD_INVALID"],
  ];
  for (const [what, body, headers, status, reason] of cases) {
    const outcome = await answered(at, body, headers);
    expect([what, outcome.status, outcome.reason]).toEqual([what, status, reason]);
  }
});

function twice(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, bytes]);
}
function watching() {
  return { ":path": WATCH };
}
function checking() {
  return { ":path": HealthService.check.path };
}

test("what is no gRPC is told so in HTTP, and hurts nobody", async () => {
  const at = session(await listen());
  const stream = begin(at, { "content-type": "text/html" });
  const http = new Promise((resolve) => stream.on("response", (h) => resolve(h[":status"])));
  stream.end();
  expect(await http).toBe(415);
  expect((await answered(at, REQUEST)).status).toBe(0);
});

test("a deadline that passes in a handler is told with its reason", async () => {
  const slow = () => new Promise<never>(() => undefined);
  const at = session(await listen({ getInstance: slow, watchObjects: slow }));
  const timeout = { "grpc-timeout": "50m" };
  const empty = framed(Buffer.alloc(0));
  for (const outcome of [
    await answered(at, REQUEST, timeout),
    await answered(at, empty, { ...watching(), ...timeout }),
  ]) {
    expect(outcome).toMatchObject({ status: 4, reason: "DEADLINE_EXCEEDED" });
  }
});

test("a handler has so long and no longer, also where its client would wait", async () => {
  const clock = new ManualClock();
  const at = session(await listen({ getInstance: () => new Promise(() => undefined) }, clock));
  const outcome = answered(at, REQUEST);
  await later(clock, at, CALL_MS_MAX);
  expect(await outcome).toMatchObject({ status: 4, reason: "DEADLINE_EXCEEDED" });
});

/** Moves time on, once the other side has seen what was sent: it takes frames in their order. */
async function later(clock: ManualClock, at: ClientHttp2Session, ms: number): Promise<void> {
  if (at.connecting) await new Promise((resolve) => at.once("connect", resolve));
  await new Promise((resolve) => at.ping(resolve));
  await settle();
  await clock.advance(ms);
}

test("a request that does not come whole is given up, whatever its call", async () => {
  const clock = new ManualClock();
  const at = session(await listen({}, clock));
  const half = REQUEST.subarray(0, 9);
  const streams = [
    ...[undefined, half, REQUEST].map((sent) => ({ sent, path: GET })),
    ...[undefined, framed(Buffer.alloc(0))].map((sent) => ({ sent, path: WATCH })),
    ...[undefined, half].map((sent) => ({ sent, path: HealthService.check.path })),
    ...[undefined, half].map((sent) => ({ sent, path: REFLECT })),
  ].map(({ sent, path }) => {
    const stream = begin(at, { ":path": path });
    if (sent) stream.write(sent);
    return stream;
  });
  const outcomes = Promise.all(streams.map(ended));
  await later(clock, at, CLIENT_MS_MAX - 1_000);
  expect(streams.some(({ closed }) => closed)).toBe(false);
  await clock.advance(3_000);
  for (const { status, reason, rst } of await outcomes) {
    expect([status, reason, rst]).toEqual([4, "DEADLINE_EXCEEDED", constants.NGHTTP2_NO_ERROR]);
  }
  expect((await answered(at, REQUEST)).status).toBe(0);
});

test("a call refused amid its request is closed, whatever its client still sends", async () => {
  const at = session(await listen());
  for (const path of [InstanceServiceService.attachConsole.path, GET]) {
    const stream = begin(at, { ":path": path });
    const outcome = ended(stream);
    stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    expect((await outcome).status).toBeGreaterThan(0);
  }
});

test("a large answer that is not taken is given up, and others are answered", async () => {
  const clock = new ManualClock();
  const port = await listen({ getInstance: () => Buffer.alloc(RECEIVE_BYTES_MAX) }, clock);
  const at = session(port);
  const stream = begin(at).pause();
  stream.end(REQUEST);
  const closed = new Promise((resolve) => stream.once("close", resolve));
  await new Promise((resolve) => stream.once("response", resolve));
  await later(clock, at, CLIENT_MS_MAX + 2_000);
  await closed;
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  expect((await answered(session(port), REQUEST)).status).toBe(0);
});

test("streams that need no token are few at a time", async () => {
  const port = await listen();
  const open = (path: string, count: number) => {
    // As many as one connection may have.
    const at = Array.from({ length: Math.ceil((count + 1) / 200) }, () => session(port));
    return Array.from({ length: count + 1 }, (_, i) => {
      const stream = begin(at[i % at.length]!, { ":path": path });
      const outcome = ended(stream);
      stream.write(framed(Buffer.alloc(0)));
      if (path !== REFLECT) stream.end();
      return outcome;
    });
  };
  for (const [path, count] of [
    [HealthService.watch.path, HEALTH_WATCHES_MAX],
    [REFLECT, CONVERSATIONS_MAX],
  ] as const) {
    const refused = await Promise.race(open(path, count));
    expect(refused).toMatchObject({ status: 8, reason: "TOO_MANY_STREAMS" });
    // A client that ends its session amid what it has just read hangs (Node 20).
    await new Promise((resolve) => setTimeout(resolve, 100));
    await settle();
  }
});

test("a conversation about the contract ends some time", async () => {
  const clock = new ManualClock();
  const at = session(await listen({}, clock));
  const stream = begin(at, { ":path": REFLECT });
  const outcome = ended(stream);
  const told = new Promise((resolve) => stream.once("trailers", resolve));
  stream.write(framed(Buffer.alloc(0)));
  await later(clock, at, CONVERSATION_MS_MAX);
  await told;
  stream.end();
  expect(await outcome).toMatchObject({ status: 0 });
});

test("one address has so many connections and no more", async () => {
  const port = await listen();
  const sockets: Socket[] = [];
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  const open = () =>
    new Promise<Socket>((resolve) => {
      const socket = connectTcp(port, "127.0.0.1", () => resolve(socket));
      socket.on("error", () => undefined);
      sockets.push(socket);
    });
  for (let i = 0; i < CONNECTIONS_PER_PEER_MAX; i++) await open();
  const cut = await open();
  await new Promise((resolve) => cut.resume().once("close", resolve));
  sockets[0]?.destroy();
  // The server may not have seen yet that it has gone.
  while ((await answered(session(port), REQUEST)).status !== 0);
});

test("floods of one connection cost it that connection, and nobody else theirs", async () => {
  const port = await listen({ getInstance: () => new Promise<never>(() => undefined) });
  const hostile = session(port);
  const closed = new Promise((resolve) => hostile.once("close", resolve));
  const flood = setInterval(() => {
    for (let i = 0; i < 200 && !hostile.destroyed; i++) {
      begin(hostile).close(constants.NGHTTP2_CANCEL);
    }
  }, 1);
  await closed.finally(() => clearInterval(flood));
  const headers = Object.fromEntries(
    Array.from({ length: 120 }, (_, i) => [`x-${i}`, "x".repeat(1_000)]),
  );
  const many = await answered(session(port), REQUEST, headers);
  expect(many.status).toBe(-1);
  const at = session(port);
  expect((await answered(at, REQUEST, { "grpc-timeout": "20m" })).status).toBe(4);
});

test.each([GET, WATCH])(
  "refused before its end, %s is not served when that comes",
  async (path) => {
    const served: string[] = [];
    const getInstance = () => {
      served.push(GET);
      return ANSWER;
    };
    const watchObjects = async () => void served.push(WATCH);
    const at = session(await listen({ getInstance, watchObjects }));
    const late = begin(at, { "grpc-timeout": "50m", ":path": path });
    late.write(path === GET ? REQUEST : framed(Buffer.alloc(0)));
    expect(await ended(late)).toMatchObject({ status: 4 });
    expect(await answered(at, REQUEST)).toMatchObject({ status: 0 });
    expect(served).toEqual([GET]);
  },
);
