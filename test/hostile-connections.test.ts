// Connections that make no calls, against a real listener: those that say nothing, or not enough,
// and those that say much. Each is dropped in time, what it costs is bounded, and others are served
// all the while.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLIENT_MS_MAX } from "@railyard/controller/api/client-waits";
import { IDLE_MS_MAX, LOOK_MS } from "@railyard/controller/api/connection-life";
import { CONNECTIONS_PER_PEER_MAX, CONTROL_FRAMES_MAX } from "@railyard/controller/api/connections";
import { Limits } from "@railyard/controller/api/limits";
import { ApiServer } from "@railyard/controller/api/server";
import { type Clock, ManualClock, settle, systemClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import {
  GetInstanceRequest,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import { contractImage } from "@railyard/proto/image";
import { afterEach, expect, test, vi } from "vitest";
import { END_HEADERS, frame, headerBlock, PREFACE, RawConnection } from "./raw-http2.js";
import { until } from "./until.js";

const { getInstance } = InstanceServiceService;
const ID = "inst-0123456789abcdefghjkmnpq";
const limits = new Limits(contractImage());
const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
if (!OPENSSL) console.warn("no openssl here: the tests of TLS are skipped");
const MIB = 1024 * 1024;
/** How long others may wait for an answer while one connection floods; machines are slow. */
const SERVED_MS = 6_000;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Serving {
  readonly port: number;
  /** Calls that came to their handler. */
  calls: number;
  readonly stop: () => Promise<void>;
}

interface With {
  readonly clock?: Clock;
  readonly host?: string;
  readonly connectionsMax?: number;
  readonly perPeerMax?: number;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
}

async function serve(how: With = {}): Promise<Serving> {
  const { clock = systemClock(), host = "127.0.0.1", tls, connectionsMax, perPeerMax } = how;
  const serving = { port: 0, calls: 0, stop: () => server.stop() };
  const answer = () => {
    serving.calls += 1;
    return Buffer.from("seen");
  };
  const server = new ApiServer({
    services: [InstanceServiceService],
    handlers: { getInstance: answer },
    ...{ limits, clock, tls, signPage: () => Buffer.alloc(0), log: silentLog() },
    ...{ connectionsMax, perPeerMax },
    ...{ reflect: undefined, onTokenTouch: () => () => undefined },
    health: { store: async () => true, dispatch: () => true },
    authenticate: () => ({ id: "tok", account: "acc" as AccountId, roles: ["tenant-viewer"] }),
  });
  ends.push(async () => {
    const stopping = server.stop();
    if (clock instanceof ManualClock) await clock.advance(10_000);
    await stopping;
  });
  serving.port = await server.listen({ host, port: 0 });
  return serving;
}

function certificate() {
  const dir = mkdtempSync(join(tmpdir(), "railyard-tls-"));
  ends.push(() => rmSync(dir, { recursive: true }));
  const [cert, key] = [join(dir, "cert.pem"), join(dir, "key.pem")];
  const what = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const files = ["-subj", "/CN=localhost", "-nodes", "-days", "2", "-keyout", key, "-out", cert];
  execFileSync("openssl", [...what, ...files], { stdio: "ignore" });
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

function session({ port }: Serving, scheme = "http"): ClientHttp2Session {
  const made = connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  made.on("error", () => undefined);
  ends.push(() => made.destroy());
  return made;
}

function opened(connection: RawConnection): RawConnection {
  ends.push(() => connection.end());
  return connection;
}

const CALL = {
  ...{ ":method": "POST", ":scheme": "http", ":path": getInstance.path, ":authority": "here" },
  ...{ "content-type": "application/grpc", te: "trailers", authorization: "Bearer any" },
};
const MESSAGE = GetInstanceRequest.encode({ id: ID }).finish();
const REQUEST = Buffer.concat([Buffer.from([0, 0, 0, 0, MESSAGE.length]), MESSAGE]);

/** The gRPC status of one call; -1 without one. */
function called(at: ClientHttp2Session): Promise<number> {
  return new Promise((resolve) => {
    const stream = at.request(CALL);
    let status = -1;
    stream.on("trailers", (headers) => {
      status = Number(headers["grpc-status"] ?? -1);
    });
    stream.on("error", () => undefined).resume();
    stream.once("close", () => resolve(status));
    stream.end(REQUEST);
  });
}

/** Moves time on, once the other side has seen what was sent: time alone lets nothing be read. */
async function later(clock: ManualClock, ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  await settle();
  await clock.advance(ms);
}

const HALF_SETTINGS = frame("settings", { payload: Buffer.alloc(6) }).subarray(0, 11);

test("who does not say in time that it speaks HTTP/2 is dropped, who does is not", async () => {
  const clock = new ManualClock();
  const serving = await serve({ clock });
  const saying = [[], [PREFACE.subarray(0, 3)], [PREFACE], [PREFACE, HALF_SETTINGS]];
  const silent = saying.map(() => opened(RawConnection.open(serving.port)));
  for (const [i, bytes] of saying.entries()) await silent[i]?.send(...bytes);
  const idle = opened(RawConnection.open(serving.port));
  await idle.send(PREFACE, frame("settings"));
  const caller = session(serving);
  expect(await called(caller)).toBe(0);
  await later(clock, CLIENT_MS_MAX - 1_000);
  expect(silent.map(({ isClosed }) => isClosed)).toEqual(silent.map(() => false));
  await clock.advance(3_000);
  await Promise.all(silent.map(({ closed }) => closed));
  expect(idle.isClosed).toBe(false);
  expect(await called(caller)).toBe(0);
});

test.skipIf(!OPENSSL)("with TLS, a handshake that is never finished ends in time", async () => {
  const clock = new ManualClock();
  const serving = await serve({ clock, tls: certificate() });
  const silent = opened(RawConnection.open(serving.port));
  const half = opened(RawConnection.open(serving.port));
  await half.send(Buffer.from([0x16, 3, 1, 2, 0, 1, 0]));
  const encrypted = opened(RawConnection.openTls(serving.port, "h2"));
  const caller = session(serving, "https");
  expect(await called(caller)).toBe(0);
  await later(clock, CLIENT_MS_MAX - 1_000);
  expect([silent, half, encrypted].map(({ isClosed }) => isClosed)).toEqual([false, false, false]);
  await clock.advance(3_000);
  await Promise.all([silent, half, encrypted].map(({ closed }) => closed));
  expect(await called(caller)).toBe(0);
});

test.skipIf(!OPENSSL)("connections count before their handshake, and no longer after", async () => {
  const clock = new ManualClock();
  const serving = await serve({ clock, tls: certificate() });
  const silent: RawConnection[] = [];
  for (let i = 0; i < CONNECTIONS_PER_PEER_MAX; i++) {
    silent.push(opened(RawConnection.open(serving.port)));
    if (i % 64 === 0) await silent.at(-1)?.opened;
  }
  await Promise.all(silent.map((one) => one.opened));
  await opened(RawConnection.open(serving.port)).closed;
  await later(clock, CLIENT_MS_MAX + 2_000);
  await Promise.all(silent.map(({ closed }) => closed));
  expect(await called(session(serving, "https"))).toBe(0);
});

test.skipIf(!OPENSSL)("a listener that stops waits for no handshake of TLS", async () => {
  const clock = new ManualClock();
  const serving = await serve({ clock, tls: certificate() });
  const silent = opened(RawConnection.open(serving.port));
  const encrypted = opened(RawConnection.openTls(serving.port, "h2"));
  expect(await called(session(serving, "https"))).toBe(0);
  // No time goes by: nothing is cut because the time for open calls is over.
  await serving.stop();
  await Promise.all([silent.closed, encrypted.closed]);
});

test.skipIf(!OPENSSL)("with TLS, too, who makes no call for long has to leave", async () => {
  const clock = new ManualClock();
  const serving = await serve({ clock, tls: certificate() });
  const stubborn = opened(RawConnection.openTls(serving.port, "h2"));
  await stubborn.opened;
  await stubborn.send(PREFACE, frame("settings"));
  const caller = session(serving, "https");
  expect(await called(caller)).toBe(0);
  await later(clock, IDLE_MS_MAX + LOOK_MS);
  await until("it is asked to leave", () => caller.closed);
  expect(stubborn.isClosed).toBe(false);
  await clock.advance(2 * LOOK_MS);
  await stubborn.closed;
});

test.skipIf(!OPENSSL)("one port of a client may lead to two addresses of the server", async () => {
  const clock = new ManualClock();
  const serving = await serve({ clock, host: "0.0.0.0", tls: certificate() });
  const first = RawConnection.openTo({ port: serving.port, host: "127.0.0.2" });
  await opened(first).opened;
  const { localPort = 0 } = first.socket;
  const second = RawConnection.openTo({ port: serving.port, host: "127.0.0.3", localPort });
  await opened(second).opened;
  const both = [first, second].map((one) => opened(one.encrypted("h2")));
  for (const one of both) {
    await one.opened;
    await one.send(PREFACE, frame("settings"));
  }
  await later(clock, CLIENT_MS_MAX + 2_000);
  expect(await called(session(serving, "https"))).toBe(0);
  expect(both.map(({ isClosed }) => isClosed)).toEqual([false, false]);
});

test.each([
  ["one address", { perPeerMax: 2 }],
  ["a listener", { connectionsMax: 2 }],
])("how many connections %s may have can be set", async (_, bound) => {
  // No time goes by: who says nothing is not dropped for that.
  const serving = await serve({ clock: new ManualClock(), ...bound });
  const two = [session(serving), session(serving)];
  for (const one of two) expect(await called(one)).toBe(0);
  await opened(RawConnection.open(serving.port)).closed;
  two[0]?.destroy();
  await until("there is room again", async () => (await called(session(serving))) === 0);
});

function madeUpTimers(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  ends.push(() => vi.useRealTimers());
}

/** Lets time go by for timers that were set since it was made-up, and frames come and go. */
async function goBy(ms: number, stepMs = 10_000): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    vi.advanceTimersByTime(Math.min(left, stepMs));
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  }
}

/**
 * Sends one chunk after the other until the server says that it is enough, or there are no more;
 * answers how many it sent.
 */
async function flood(at: RawConnection, chunks: Iterable<Buffer>): Promise<number> {
  let sent = 0;
  for (const chunk of chunks) {
    // Whoever is no longer listened to cannot send.
    await Promise.race([at.send(chunk), at.over]);
    await new Promise(setImmediate);
    if (at.isClosed || at.goawayCode !== undefined) break;
    sent += 1;
  }
  return sent;
}

function* repeated(unit: Buffer, { each = 64 * 1024, bytes = 32 * MIB } = {}): Generator<Buffer> {
  const chunk = Buffer.concat(Array(Math.ceil(each / unit.length)).fill(unit));
  for (let sent = 0; sent < bytes; sent += chunk.length) yield chunk;
}

/** The longest that any call of another client took while `attack` went on, milliseconds. */
async function slowestDuring(serving: Serving, attack: Promise<unknown>): Promise<number> {
  const caller = session(serving);
  let isOver = false;
  void attack.then(() => {
    isOver = true;
  });
  let slowest = 0;
  do {
    const begun = performance.now();
    expect(await called(caller)).toBe(0);
    slowest = Math.max(slowest, performance.now() - begun);
  } while (!isOver);
  return slowest;
}

const PING = frame("ping", { payload: Buffer.alloc(8) });
const SETTING = frame("settings", { payload: Buffer.from([0, 4, 0, 0, 255, 255]) });

/** Fewer acknowledgements than HTTP/2's library lets stand in line. */
const BURST = 900;

test.each([
  ["PING", PING],
  ["SETTINGS", SETTING],
])("a flood of %s frames costs its connection, however it is paced", async (_, unit) => {
  const serving = await serve();
  for (const paced of [false, true]) {
    const hostile = opened(RawConnection.open(serving.port));
    await hostile.send(PREFACE, frame("settings"));
    const burst = Buffer.concat(Array(BURST).fill(unit));
    const pace = async () => {
      while (!hostile.isClosed) {
        const { bytesRead } = hostile.socket;
        await hostile.send(burst);
        const acked = () => hostile.socket.bytesRead >= bytesRead + BURST * 9;
        await until("it is answered or ended", () => hostile.isClosed || acked());
      }
    };
    const attack = paced ? pace() : flood(hostile, repeated(unit));
    expect(await slowestDuring(serving, attack)).toBeLessThan(SERVED_MS);
    if (paced) expect(hostile.goawayCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
});

test("as many PING frames as clients that measure their line send are answered", async () => {
  const serving = await serve();
  const at = session(serving);
  for (let i = 0; i < CONTROL_FRAMES_MAX / 10; i++) {
    if (i % 100 === 0) expect(await called(at)).toBe(0);
    await new Promise<void>((resolve, reject) => {
      at.ping((err) => (err ? reject(err) : resolve()));
    });
  }
  expect(await called(at)).toBe(0);
});

const HEADERS = headerBlock(CALL);

/** What begins a call, and what takes it back. */
function call(i: number): { readonly begin: Buffer; readonly reset: Buffer } {
  const stream = 2 * i + 1;
  return {
    begin: frame("headers", { stream, flags: END_HEADERS, payload: HEADERS }),
    reset: frame("reset", { stream, payload: Buffer.from([0, 0, 0, 8]) }),
  };
}

const TOGETHER = 100;

/** Calls that are taken back at once (CVE-2023-44487), some at a time. */
function* takenBack(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i += TOGETHER) {
    const some = Array.from({ length: TOGETHER }, (_, j) => Object.values(call(i + j)));
    yield Buffer.concat(some.flat());
  }
}

test("who takes calls back at once is not listened to any longer, and dropped", async () => {
  madeUpTimers();
  const serving = await serve();
  const hostile = opened(RawConnection.open(serving.port));
  await hostile.send(PREFACE, frame("settings"));
  const attack = flood(hostile, takenBack(50_000));
  expect(await slowestDuring(serving, attack)).toBeLessThan(SERVED_MS);
  expect(hostile.goawayCode).toBeDefined();
  expect((await attack) * TOGETHER).toBeLessThan(20_000);
  await goBy(100_000);
  expect(hostile.isClosed).toBe(true);
});

const windowUpdate = (stream: number) =>
  frame("windowUpdate", { stream, payload: Buffer.from([0, 0, 0, 1]) });
const CONTINUED = Buffer.concat([
  frame("headers", { stream: 1, payload: HEADERS }),
  ...Array(64).fill(frame("continuation", { stream: 1, payload: headerBlock({ x: "y" }) })),
]);

test.each([
  ["WINDOW_UPDATE", [], windowUpdate(0)],
  ["PRIORITY", [], frame("priority", { stream: 9, payload: Buffer.from([0, 0, 0, 7, 1]) })],
  ["unknown", [], frame(0xee, { payload: Buffer.alloc(9) })],
  ["empty DATA", [call(0).begin], frame("data", { stream: 1 })],
  ["CONTINUATION", [CONTINUED], frame("continuation", { stream: 1 })],
])("a flood of %s frames keeps nobody waiting, and takes no memory", async (_, first, unit) => {
  const serving = await serve();
  const hostile = opened(RawConnection.open(serving.port));
  await hostile.send(PREFACE, frame("settings"), ...first);
  const { rss } = process.memoryUsage();
  const attack = flood(hostile, repeated(unit));
  expect(await slowestDuring(serving, attack)).toBeLessThan(SERVED_MS);
  expect(process.memoryUsage().rss - rss).toBeLessThan(128 * MIB);
  hostile.end();
  expect(await called(session(serving))).toBe(0);
});
