// Two servers under the same load, one after the other in short windows of one run, so that
// whatever else the machine does meets both. Knows no call.
import { join } from "node:path";
import { median } from "./figure.js";
import { type Call, CONNECTIONS, IN_FLIGHT, load } from "./load.js";
import { Remote } from "./remote.js";
import type { BenchYard } from "./yard.js";

/** How much is measured. */
export interface Effort {
  /** Windows of each side that count. */
  readonly windows: number;
  /** Windows before them: V8 compiles until some thousand calls were made. */
  readonly warm: number;
  /** Calls in one window are divided by this. */
  readonly less: number;
}

export interface Compared {
  /** Calls per second, the median of the windows. */
  readonly ours: number;
  readonly theirs: number;
  /** Ours over theirs, window by window, the median. */
  readonly ratio: number;
}

/** `ours` and `theirs` make one window and answer with calls per second. */
export async function interleaved(
  effort: Effort,
  sides: { readonly ours: () => Promise<number>; readonly theirs: () => Promise<number> },
): Promise<Compared> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let window = -effort.warm; window < effort.windows; window++) {
    const [us, them] = [await sides.ours(), await sides.theirs()];
    if (window < 0) continue;
    ours.push(us);
    theirs.push(them);
  }
  const ratios = ours.map((us, i) => us / (theirs[i] ?? Number.NaN));
  return { ours: median(ours), theirs: median(theirs), ratio: median(ratios) };
}

/** Makes so many calls, over so many connections; answers calls per second. */
export interface Echo {
  (calls: number, connections?: number): Promise<number>;
  /** Processor microseconds per call of the last window: what a busy machine does not change. */
  cpuPerCall(): number;
}

/** Processor time per call on both sides, for people. */
export function cpuNote(yard: BenchYard, echo: Echo): string {
  return `CPU ${yard.cpuPerCall.toFixed(0)} µs of ${echo.cpuPerCall().toFixed(0)} µs a call`;
}

/** A bare grpc-js server that answers `call` with `response`, in a process of its own. */
export async function withEcho<T>(
  yard: BenchYard,
  { call, response }: { readonly call: Call; readonly response: Uint8Array },
  use: (echo: Echo) => Promise<T>,
): Promise<T> {
  const remote = Remote.start("echo-process", join(yard.dir, "echo.log"));
  try {
    const given = { path: call.path, response: Buffer.from(response).toString("base64") };
    const port = await remote.ask<number>("start", given);
    let cpuPerCall = 0;
    const echo = async (calls: number, connections = CONNECTIONS) => {
      const before = await remote.ask<number>("cpuMicros");
      const streams = Math.ceil(IN_FLIGHT / connections);
      const { callsPerSecond } = await load(port, call, { calls, connections, streams });
      cpuPerCall = ((await remote.ask<number>("cpuMicros")) - before) / calls;
      return callsPerSecond;
    };
    return await use(Object.assign(echo, { cpuPerCall: () => cpuPerCall }));
  } finally {
    await remote.end();
  }
}
