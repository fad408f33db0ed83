// Tests of gathered responses over a real socket, read without a gRPC client: what leaves together,
// and that the end of a call does not overtake what it sent.
import http2 from "node:http2";
import * as grpc from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { writerTo } from "./frames.js";

const PATH = "/test.Stream/Read";
const asIs = (bytes: Buffer) => bytes;
const METHOD: grpc.MethodDefinition<Buffer, Buffer> = {
  ...{ path: PATH, requestStream: false, responseStream: true },
  ...{ requestSerialize: asIs, requestDeserialize: asIs },
  ...{ responseSerialize: asIs, responseDeserialize: asIs },
};
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

type Call = grpc.ServerWritableStream<Buffer, Buffer>;

/** A reader of what `answer` sends: its chunks as they arrived, and the status behind them. */
async function read(answer: (call: Call) => void) {
  const server = new grpc.Server();
  server.addService({ Read: METHOD }, { Read: answer } as never);
  ends.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    const at = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", at, (err, bound) => (err ? reject(err) : resolve(bound)));
  });
  const session = http2.connect(`http://127.0.0.1:${port}`);
  ends.push(() => session.destroy());
  const headers = { ":method": "POST", ":path": PATH, "content-type": "application/grpc" };
  const stream = session.request({ ...headers, te: "trailers" });
  stream.end(Buffer.alloc(5));
  const chunks: Buffer[] = [];
  let status: unknown;
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("trailers", (trailers) => {
    status = trailers["grpc-status"];
  });
  await new Promise((resolve) => stream.on("end", resolve));
  return { chunks, status };
}

const never = new AbortController().signal;

test("messages sent in one go leave in one piece, framed, before the end", async () => {
  const { chunks, status } = await read((call) => {
    const write = writerTo(call);
    for (const text of ["one", "", "three"]) {
      expect(write(Buffer.from(text), never)).toBeUndefined();
    }
    Promise.resolve().then(() => call.end());
  });
  expect(chunks.map((chunk) => chunk.toString("hex"))).toEqual([
    `0000000003${hex("one")}0000000000${"0000000005"}${hex("three")}`,
  ]);
  expect(status).toBe("0");
});

test("a reader is waited for once a frame's worth is not taken yet", async () => {
  let sent = 0;
  const { chunks } = await read(async (call) => {
    const write = writerTo(call);
    const message = Buffer.alloc(1_000);
    for (; sent < 200; sent++) {
      const taking = write(message, never);
      if (taking && sent < 100) expect(sent).toBeGreaterThanOrEqual(15);
      await taking;
    }
    await Promise.resolve();
    call.end();
  });
  expect(chunks.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(200 * 1_005);
});

test("waiting for a reader ends when its signal aborts", async () => {
  const { status } = await read(async (call) => {
    const gone = new AbortController();
    const taking = writerTo(call)(Buffer.alloc(64 * 1024), gone.signal);
    expect(taking).toBeDefined();
    gone.abort();
    await taking;
    call.end();
  });
  expect(status).toBe("0");
});

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}
