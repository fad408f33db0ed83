// Tests of connections without calls, and of old ones, over real sockets and on a made-up clock:
// which are asked to leave, which are not, and what becomes of those who stay.
import { type ClientHttp2Session, connect } from "node:http2";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { ManualClock, type Timer } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { HealthService } from "@railyard/proto/gen/grpc/health/v1/health";
import {
  GetInstanceRequest,
  InstanceServiceClient,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import { contractImage } from "@railyard/proto/image";
import { afterEach, expect, test, vi } from "vitest";
import { AGE_MS_MAX, IDLE_MS_MAX, LOOK_MS } from "./connection-life.js";
import { Limits } from "./limits.js";
import { ApiServer } from "./server.js";

const limits = new Limits(contractImage());
const GET = InstanceServiceService.getInstance.path;
const WATCH = HealthService.watch.path;
const REQUEST = { id: "inst-0123456789abcdefghjkmnpq" };
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const SETTINGS_ACK = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]);
/** A call that has no answer by then has been lost. */
const ANSWERED_MS = 30_000;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function listen(clock: ManualClock, perPeerMax?: number): Promise<number> {
  const server = new ApiServer({
    services: [InstanceServiceService],
    handlers: { getInstance: () => Buffer.alloc(0) },
    ...{ limits, clock, signPage: () => Buffer.alloc(0), log: silentLog() },
    ...{ reflect: undefined, tls: undefined, perPeerMax },
    health: { store: async () => true, dispatch: () => false },
    onTokenTouch: () => () => undefined,
    authenticate: () => ({ id: "tok", account: "acc" as AccountId, roles: ["tenant-viewer"] }),
  });
  ends.push(async () => {
    const stopping = server.stop();
    await clock.advance(10_000);
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

function begin(at: ClientHttp2Session, path: string) {
  const headers = { "content-type": "application/grpc", te: "trailers" };
  const stream = at.request({
    ...{ ":method": "POST", ":path": path, authorization: "Bearer any", ...headers },
  });
  return stream.on("error", () => undefined).resume();
}

/** The gRPC status of one call; undefined without one. */
function called(at: ClientHttp2Session): Promise<unknown> {
  const stream = begin(at, GET);
  const message = GetInstanceRequest.encode(GetInstanceRequest.fromPartial(REQUEST)).finish();
  stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  return new Promise((resolve) => {
    let status: unknown;
    stream.on("trailers", (headers) => {
      status = headers["grpc-status"];
    });
    stream.on("close", () => resolve(status));
  });
}

/** A call that is answered for as long as its client listens; resolves with its first answer. */
async function watched(at: ClientHttp2Session) {
  const stream = begin(at, WATCH);
  stream.end(Buffer.alloc(5));
  await new Promise((resolve) => stream.once("data", resolve));
  return stream;
}

test("a connection is closed unless a call was made meanwhile, or one is under way", async () => {
  const clock = new ManualClock();
  const port = await listen(clock);
  const [idle, busy, watching] = [session(port), session(port), session(port)];
  expect(await Promise.all([idle, busy].map(called))).toEqual(["0", "0"]);
  const watch = await watched(watching);
  const closed = () => [idle, busy, watching].map((one) => one.closed);
  for (let i = 0; i < 3; i++) {
    await clock.advance(IDLE_MS_MAX / 3);
    expect(await called(busy)).toBe("0");
  }
  expect(closed()).toEqual([false, false, false]);
  await clock.advance(LOOK_MS);
  await vi.waitFor(() => expect(closed()).toEqual([true, false, false]));

  // What lasted is over: its connection is like any other's from then on.
  watch.close();
  for (let i = 0; i < 3; i++) {
    await clock.advance(IDLE_MS_MAX / 2);
    expect(await called(busy)).toBe("0");
  }
  await vi.waitFor(() => expect(closed()).toEqual([true, false, true]));
});

test("who is asked to leave and does not is cut off, and makes room", async () => {
  const clock = new ManualClock();
  const port = await listen(clock, 1);
  const stubborn = connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true });
  ends.push(() => stubborn.destroy());
  let heard = Buffer.alloc(0);
  stubborn
    .on("error", () => undefined)
    .on("data", (bytes) => {
      heard = Buffer.concat([heard, bytes]);
    });
  stubborn.write(Buffer.concat([HTTP2_PREFACE, EMPTY_SETTINGS]));
  // Until its settings have come it counts among those who say nothing.
  await vi.waitFor(() => expect(heard.includes(SETTINGS_ACK)).toBe(true));
  await clock.advance(IDLE_MS_MAX + 2 * LOOK_MS);
  expect(await called(session(port))).toBeUndefined();
  await clock.advance(LOOK_MS);
  expect(await called(session(port))).toBe("0");
});

/** A client of gRPC, and its call, which resolves with its error. */
function grpcClient(port: number) {
  const client = new InstanceServiceClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  ends.push(() => client.close());
  const metadata = new grpc.Metadata();
  metadata.set("authorization", "Bearer any");
  const get = () =>
    new Promise((resolve) => {
      const deadline = Date.now() + ANSWERED_MS;
      client.getInstance(REQUEST, metadata, { deadline }, (err) => resolve(err));
    });
  return { client, get };
}

/** A way to `port` whose clients may be kept from hearing, until they say something themselves. */
async function wayTo(port: number) {
  const hush = new Set<() => void>();
  const way = createServer((near) => {
    const far = connectTcp(port, "127.0.0.1");
    const end = () => [near, far].map((socket) => socket.destroy());
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
    far.on("data", (bytes) => near.write(bytes));
    near.on("data", (bytes) => far.write(bytes, () => far.resume()));
    hush.add(() => far.pause());
    ends.push(end);
  });
  await new Promise<void>((resolve) => way.listen(0, "127.0.0.1", resolve));
  ends.push(() => way.close());
  const silence = () => {
    for (const one of hush) one();
  };
  return { port: (way.address() as AddressInfo).port, silence };
}

test("a call that crosses the request to leave is made again, and answered", async () => {
  const clock = new ManualClock();
  const way = await wayTo(await listen(clock));
  const { get } = grpcClient(way.port);
  expect(await get()).toBeNull();
  await clock.advance(IDLE_MS_MAX);
  way.silence();
  await clock.advance(LOOK_MS);
  expect(await get()).toBeNull();
});

test("a client of gRPC connects again for its next call, and notices nothing", async () => {
  const clock = new ManualClock();
  const { client, get } = grpcClient(await listen(clock));
  expect(await get()).toBeNull();
  await clock.advance(IDLE_MS_MAX + 2 * LOOK_MS);
  const state = () => client.getChannel().getConnectivityState(false);
  await vi.waitFor(() => expect(state()).toBe(grpc.connectivityState.IDLE));
  expect(await get()).toBeNull();
});

test("an old connection is closed whatever it does, and what lasts on it is cut off", async () => {
  const clock = new ManualClock();
  const port = await listen(clock);
  const [old, watching] = [session(port), session(port)];
  const watch = await watched(watching);
  const { get } = grpcClient(port);
  for (let age = 0; age < AGE_MS_MAX - LOOK_MS; age += LOOK_MS) {
    expect([await called(old), await get(), watching.closed]).toEqual(["0", null, false]);
    await clock.advance(LOOK_MS);
  }
  await clock.advance(LOOK_MS);
  await vi.waitFor(() => expect(old.closed).toBe(true));
  expect(watch.closed).toBe(false);
  for (let step = 0; step < 2; step++) {
    expect(await get()).toBeNull();
    await clock.advance(LOOK_MS);
  }
  await vi.waitFor(() => expect(watch.closed).toBe(true));
  expect(await get()).toBeNull();
});

/** Knows which timers are set. */
class NotingClock extends ManualClock {
  readonly pending = new Set<() => void>();

  override after(ms: number, fn: () => void): Timer {
    const fire = () => {
      this.pending.delete(fire);
      fn();
    };
    this.pending.add(fire);
    const timer = super.after(ms, fire);
    return {
      cancel: () => {
        this.pending.delete(fire);
        timer.cancel();
      },
    };
  }
}

test("a listener that has stopped waits for no time any more", async () => {
  const clock = new NotingClock();
  const port = await listen(clock);
  const stop = ends.pop();
  expect(await called(session(port))).toBe("0");
  expect(clock.pending.size).toBeGreaterThan(0);
  await stop?.();
  expect(clock.pending.size).toBe(0);
});
