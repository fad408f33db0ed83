// Readers of watches in a process of their own, over bare HTTP/2: a gRPC client for each would
// measure itself. Every reader's bytes are counted; of some the events are looked into, for the
// time at which their change was asked for, which is its name.
import { once } from "node:events";
import http2 from "node:http2";
import { WatchObjectsRequest, WatchServiceService } from "@railyard/proto/gen/railyard/v1/watch";
import { frameOf } from "./load.js";
import { serve } from "./remote.js";

const STREAMS_PER_SESSION = 100;
/** Every so manyth reader is looked into. */
const SAMPLED = 20;
const WINDOW_BYTES = 16 * 1024 * 1024;
const STAMP = /t-(\d{6,})-x/g;

const lags: number[] = [];
let bytes = 0;
let ended = 0;
const sessions: http2.ClientHttp2Session[] = [];

function read(session: http2.ClientHttp2Session, token: string, sampled: boolean): Promise<void> {
  const stream = session.request({
    ":method": "POST",
    ":path": WatchServiceService.watchObjects.path,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${token}`,
  });
  stream.end(frameOf(WatchObjectsRequest.encode({ kinds: [], fromRevision: undefined }).finish()));
  stream.on("close", () => {
    ended += 1;
  });
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("data", (chunk: Buffer) => {
      resolve();
      bytes += chunk.length;
      if (!sampled) return;
      const now = Date.now();
      for (const [, at] of chunk.toString("latin1").matchAll(STAMP)) lags.push(now - Number(at));
    });
  });
}

/** A connection whose flow control never stops the server: the client is not what is measured. */
async function connect(port: number): Promise<http2.ClientHttp2Session> {
  const settings = { initialWindowSize: WINDOW_BYTES };
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings });
  await once(session, "connect");
  session.setLocalWindowSize(WINDOW_BYTES);
  return session;
}

serve({
  /** Microseconds of processor time until now. */
  cpuMicros: () => process.cpuUsage().user + process.cpuUsage().system,
  /** Opens so many readers; when each has its first message, how many of them are looked into. */
  open: async ({ port, token, count }: { port: number; token: string; count: number }) => {
    const opened: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      if (i % STREAMS_PER_SESSION === 0) sessions.push(await connect(port));
      const session = sessions.at(-1);
      if (session) opened.push(read(session, token, i % SAMPLED === 0));
    }
    await Promise.all(opened);
    return Math.ceil(count / SAMPLED);
  },
  /** What was seen since the last time. */
  seen: () => {
    const found = { lags: lags.splice(0), bytes, ended };
    bytes = 0;
    return found;
  },
});
