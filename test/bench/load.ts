// Load on a gRPC server from h2load, a second process: one unary call, again and again. Knows what
// h2load prints, and no call.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { percentile } from "./figure.js";

const RUN_MS_MAX = 5 * 60_000;

/** Calls under way at the same time: connections × streams of each. */
export const CONNECTIONS = 8;
export const STREAMS = 8;
export const IN_FLIGHT = CONNECTIONS * STREAMS;

/** The one call that a server is loaded with. */
export interface Call {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The encoded request. */
  readonly body: Uint8Array;
  readonly token: string;
}

export interface LoadResult {
  readonly callsPerSecond: number;
  readonly seconds: number;
  /** Of single calls; 99 of 100 took no longer. */
  readonly p99Ms: number;
  readonly times: readonly CallTime[];
}

/** When a call began and ended, microseconds of wall time. */
export interface CallTime {
  readonly start: number;
  readonly end: number;
}

interface Amount {
  readonly calls: number;
  readonly connections?: number;
  readonly streams?: number;
}

const run = promisify(execFile);

/**
 * Makes `each` calls of every one of these at the same time, IN_FLIGHT under way in all. Several
 * h2loads: one of them has one body only. They neither begin nor end together: what counts is the
 * time in which all of them were at work, the whole time where there was none.
 */
export async function loadEach(
  port: number,
  calls: readonly Call[],
  each: number,
): Promise<LoadResult> {
  const shape = { connections: 1, streams: Math.ceil(IN_FLIGHT / calls.length) };
  const results = await Promise.all(
    calls.map((call) => load(port, call, { calls: each, ...shape })),
  );
  const times = results.flatMap((result) => result.times);
  const p99Ms = Math.max(...results.map((result) => result.p99Ms));
  return { ...together(results.map((result) => result.times)), times, p99Ms };
}

/** How long all loads were under way, if ever, and how many calls ended in a second of that. */
export function together(loads: readonly (readonly CallTime[])[]) {
  const starts = loads.map((load) => Math.min(...load.map(({ start }) => start)));
  const ends = loads.map((load) => Math.max(...load.map(({ end }) => end)));
  const wasSo = Math.max(...starts) < Math.min(...ends);
  const from = wasSo ? Math.max(...starts) : Math.min(...starts);
  const to = wasSo ? Math.min(...ends) : Math.max(...ends);
  const calls = loads.flat().filter(({ end }) => end > from && end <= to).length;
  const seconds = (to - from) / 1e6;
  return { seconds, callsPerSecond: calls / seconds };
}

/** Makes `calls` calls; throws unless HTTP went well for each. What gRPC said is not seen here. */
export async function load(
  port: number,
  call: Call,
  { calls, connections = CONNECTIONS, streams = STREAMS }: Amount,
): Promise<LoadResult> {
  const dir = mkdtempSync(join(tmpdir(), "railyard-load-"));
  try {
    const data = join(dir, "frame");
    writeFileSync(data, frameOf(call.body));
    const clients = Math.min(connections, calls);
    const args = ["-n", calls, "-c", clients, "-m", streams, "-t", 1, "-d", data].map(String);
    const each = join(dir, "each");
    args.push(`--log-file=${each}`);
    const headers = {
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${call.token}`,
    };
    for (const [name, value] of Object.entries(headers)) args.push("-H", `${name}: ${value}`);
    const url = `http://127.0.0.1:${port}${call.path}`;
    const { stdout } = await run(h2load(), [...args, url], { timeout: RUN_MS_MAX });
    const times = readTimes(readFileSync(each, "utf8"));
    return { ...readResult(stdout, calls), p99Ms: slowest(times), times };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Each line has the call's start, its HTTP status, and how long it took. */
export function readTimes(log: string): readonly CallTime[] {
  const lines = log.trim().split("\n");
  return lines.map((line) => {
    const [start = Number.NaN, , took = Number.NaN] = line.split("\t").map(Number);
    return { start, end: start + took };
  });
}

/** What 99 of 100 calls took at most. */
function slowest(times: readonly CallTime[]): number {
  const micros = times.map(({ start, end }) => end - start);
  return percentile(micros, 0.99) / 1_000;
}

/** A message as gRPC frames it: uncompressed, with its length. */
export function frameOf(body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** What h2load says at its end. */
export function readResult(text: string, calls: number): Omit<LoadResult, "p99Ms" | "times"> {
  const finished = /finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req\/s/.exec(text);
  const good = Number(/(\d+) succeeded/.exec(text)?.[1] ?? 0);
  const statuses = Number(/status codes: (\d+) 2xx/.exec(text)?.[1] ?? 0);
  if (!finished || good !== calls || statuses !== calls) {
    throw new Error(`h2load: ${good} of ${calls} calls went well\n${text}`);
  }
  const unit = { us: 1e-6, ms: 1e-3, s: 1, m: 60 }[finished[2] as "us" | "ms" | "s" | "m"];
  return { seconds: Number(finished[1]) * unit, callsPerSecond: Number(finished[3]) };
}

function h2load(): string {
  return process.env.RAILYARD_H2LOAD ?? "/usr/bin/h2load";
}
