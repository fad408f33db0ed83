// Tests of streaming RPCs over a real socket: what is bounded, what waits for the other side, and
// how a stream ends.
import * as grpc from "@grpc/grpc-js";
import { ManualClock, settle, systemClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { type Log, silentLog } from "@railyard/lib/log";
import {
  type ExportMzoneResponse,
  MzoneServiceClient,
  type MzoneServiceServer,
  ValidateMzoneResponse,
} from "@railyard/proto/gen/railyard/admin/v1/mzone";
import { contractImage } from "@railyard/proto/image";
import { afterEach, expect, test } from "vitest";
import { READER_MS_MAX, UPLOAD_BYTES_MAX, UPLOAD_MESSAGES_MAX } from "./exchange.js";
import type { Handlers } from "./handler.js";
import { Limits } from "./limits.js";
import { pageSigner } from "./paging.js";
import { type ApiOptions, ApiServer } from "./server.js";
import { ADMIN_SERVICES } from "./services.js";

const image = contractImage();
const limits = new Limits(image);
const CHUNK = Buffer.alloc(64 * 1024);
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Listener {
  readonly server: ApiServer;
  readonly client: MzoneServiceClient;
  readonly lines: Record<string, unknown>[];
}

async function listen(
  handlers: Handlers<MzoneServiceServer>,
  over: Partial<ApiOptions> = {},
): Promise<Listener> {
  const lines: Record<string, unknown>[] = [];
  const keep = (line: object) => void lines.push({ ...line });
  const server = new ApiServer({
    services: ADMIN_SERVICES,
    handlers,
    limits,
    signPage: pageSigner(new Uint8Array(32)),
    clock: systemClock(),
    log: { ...silentLog(), info: keep, error: keep, warn: () => undefined } as unknown as Log,
    health: { store: async () => true, dispatch: () => false },
    reflect: undefined,
    tls: undefined,
    onTokenTouch: () => () => undefined,
    authenticate: async (secret) => {
      if (secret !== "good") throw refuse("unauthenticated", "the bearer token is not known");
      return { id: "tok-1", account: undefined, roles: ["release-engineer"] };
    },
    ...over,
  });
  ends.push(() => server.stop());
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const client = new MzoneServiceClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  ends.push(() => client.close());
  return { server, client, lines };
}

function bearer(secret = "good"): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${secret}`);
  return metadata;
}

interface Uploaded {
  readonly code: grpc.status;
  readonly answer: ValidateMzoneResponse | undefined;
}

function upload({ client }: Listener, chunks: readonly Buffer[], by = bearer()): Promise<Uploaded> {
  return new Promise((resolve) => {
    const stream = client.validateMzone(by, (err, answer) =>
      resolve({ code: err?.code ?? grpc.status.OK, answer }),
    );
    stream.on("error", () => undefined);
    for (const documentChunk of chunks) stream.write({ documentChunk });
    stream.end();
  });
}

/** Answers with how many bytes came. */
const COUNT: Handlers<MzoneServiceServer> = {
  async validateMzone(requests) {
    let bytes = 0;
    for await (const { documentChunk } of requests) bytes += documentChunk.length;
    return ValidateMzoneResponse.fromPartial({ mzoneGeneration: BigInt(bytes) });
  },
};

function ended(stream: grpc.ClientReadableStream<unknown>): Promise<grpc.StatusObject> {
  return new Promise((resolve) => {
    stream.on("error", () => undefined).on("status", resolve);
  });
}

/** Waits for a level that the other side of a socket brings about. */
async function until(reached: () => boolean): Promise<void> {
  const endAt = performance.now() + 60_000;
  while (!reached()) {
    if (performance.now() > endAt) throw new Error("it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a stream of requests reaches its handler whole, and is one log line", async () => {
  const at = await listen(COUNT);
  const { code, answer } = await upload(at, Array(40).fill(CHUNK));
  expect([code, answer?.mzoneGeneration]).toEqual([0, BigInt(40 * CHUNK.length)]);
  expect(at.lines).toMatchObject([
    { rpc: "railyard.admin.v1.MzoneService/ValidateMzone", principal: "tok-1", code: "OK" },
  ]);
});

test("a stream of no requests is an empty one", async () => {
  expect((await upload(await listen(COUNT), [])).answer?.mzoneGeneration).toBe(0n);
});

test("every message of a stream is checked, and their number and sum are bounded", async () => {
  const at = await listen(COUNT);
  const long = await upload(at, [CHUNK, Buffer.alloc(CHUNK.length + 1)]);
  expect(long.code).toBe(grpc.status.INVALID_ARGUMENT);
  const many = await upload(at, Array(UPLOAD_MESSAGES_MAX + 1).fill(Buffer.alloc(1)));
  expect(many.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
  const much = await upload(at, Array(UPLOAD_BYTES_MAX / CHUNK.length + 1).fill(CHUNK));
  expect(much.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
});

test("a stranger's stream is refused, however much it sends", async () => {
  const at = await listen(COUNT);
  const { code } = await upload(at, Array(200).fill(CHUNK), bearer("bad"));
  expect(code).toBe(grpc.status.UNAUTHENTICATED);
});

test("a client that leaves in the middle of its stream is no bug", async () => {
  let hasBegun = false;
  const at = await listen({
    async validateMzone(requests) {
      for await (const _ of requests) hasBegun = true;
      return ValidateMzoneResponse.fromPartial({});
    },
  });
  const stream = at.client.validateMzone(bearer(), () => undefined);
  stream.on("error", () => undefined).write({ documentChunk: CHUNK });
  await until(() => hasBegun);
  stream.cancel();
  await until(() => at.lines.length > 0);
  expect(at.lines).not.toMatchObject([{ code: "INTERNAL" }]);
});

test("a stream of requests that never ends is cut at the client's deadline", async () => {
  const at = await listen(COUNT);
  const deadline = await soon(at);
  const outcome = await new Promise<number | undefined>((resolve) => {
    const stream = at.client.validateMzone(bearer(), { deadline }, (err) => resolve(err?.code));
    stream.on("error", () => undefined).write({ documentChunk: CHUNK });
  });
  expect(outcome).toBe(grpc.status.DEADLINE_EXCEEDED);
  await until(() => at.lines.length > 0);
});

/** A deadline that passes soon, but not before the server has seen what is sent at once. */
async function soon({ client }: Listener): Promise<number> {
  await new Promise((resolve) => client.waitForReady(Date.now() + 60_000, resolve));
  return Date.now() + 2_000;
}

/** Sends until it may not any more, and says how often it sent and how it ended. */
function endless() {
  const seen = { sent: 0, ending: undefined as unknown };
  const handlers: Handlers<MzoneServiceServer> = {
    async exportMzone(_request, _rpc, send) {
      try {
        for (;;) {
          await send({ documentChunk: CHUNK });
          seen.sent += 1;
        }
      } catch (err) {
        seen.ending = err;
        throw err;
      }
    },
  };
  return { seen, handlers };
}

test("a stream of responses comes whole and ends with its handler", async () => {
  const at = await listen({
    async exportMzone({ mzoneName }, _rpc, send) {
      for (const part of mzoneName) await send({ documentChunk: Buffer.from(part) });
    },
  });
  const stream = at.client.exportMzone({ mzoneName: "abc" }, bearer());
  const parts: string[] = [];
  stream.on("data", ({ documentChunk }: ExportMzoneResponse) => parts.push(`${documentChunk}`));
  expect((await ended(stream)).code).toBe(grpc.status.OK);
  expect(parts).toEqual(["a", "b", "c"]);
  expect(at.lines).toMatchObject([{ principal: "tok-1", code: "OK" }]);
});

test("a handler that fails in the middle of its stream says so as any other", async () => {
  const at = await listen({
    async exportMzone(_request, _rpc, send) {
      await send({ documentChunk: CHUNK });
      throw refuse("precondition", "not now");
    },
  });
  const stream = at.client.exportMzone({ mzoneName: "" }, bearer());
  let parts = 0;
  stream.on("data", () => {
    parts += 1;
  });
  expect(await ended(stream)).toMatchObject({
    code: grpc.status.FAILED_PRECONDITION,
    details: "not now",
  });
  expect(parts).toBe(1);
});

test("a handler sends no faster than its reader reads, and not for ever", async () => {
  const clock = new ManualClock();
  const { seen, handlers } = endless();
  const at = await listen(handlers, { clock });
  const stream = at.client.exportMzone({ mzoneName: "" }, bearer());
  void ended(stream);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.pause();
  // Nothing reads: what is under way is in buffers, and those are small.
  let before = -1;
  while (seen.sent !== before) {
    before = seen.sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Time may go by without anything being read.
    await settle();
  }
  expect(seen.sent).toBeLessThan(200);
  expect(seen.ending).toBeUndefined();
  await clock.advance(READER_MS_MAX);
  expect(seen.ending).toMatchObject({ code: "deadline" });
  expect(at.lines).toMatchObject([{ code: "DEADLINE_EXCEEDED" }]);
  stream.cancel();
});

test("a handler hears that its reader has gone", async () => {
  const { seen, handlers } = endless();
  const at = await listen(handlers);
  const stream = at.client.exportMzone({ mzoneName: "" }, bearer());
  void ended(stream);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.cancel();
  await until(() => seen.ending !== undefined && at.lines.length > 0);
  expect(at.lines).toMatchObject([{ code: "UNAVAILABLE" }]);
});

test("a stream of responses ends at the client's deadline", async () => {
  const { seen, handlers } = endless();
  const at = await listen(handlers);
  const options = { deadline: await soon(at) };
  const stream = at.client.exportMzone({ mzoneName: "" }, bearer(), options);
  stream.on("data", () => undefined);
  expect((await ended(stream)).code).toBe(grpc.status.DEADLINE_EXCEEDED);
  await until(() => seen.ending !== undefined);
});

test("streams of responses end when the listener stops, and readers may come again", async () => {
  // One that waits for news, and does not listen to its signal.
  const exportMzone: Handlers<MzoneServiceServer>["exportMzone"] = async (_request, _rpc, send) => {
    await send({ documentChunk: CHUNK });
    await new Promise(() => undefined);
  };
  // No time goes by: nothing is cut because the time for open calls is over.
  const at = await listen({ exportMzone }, { clock: new ManualClock() });
  const stream = at.client.exportMzone({ mzoneName: "" }, bearer());
  const end = ended(stream);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.resume();
  await at.server.stop();
  expect((await end).code).toBe(grpc.status.UNAVAILABLE);
});
