// The production controller in a process of its own: real store on disk, tokens on, TLS off, log
// lines written, no broker. Counts how its calls ended, since h2load cannot see that.
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { encodeObject } from "@railyard/controller/api/watch-object";
import { storedCatalog } from "@railyard/controller/catalog/stored";
import { type Controller, createController } from "@railyard/controller/controller";
import { objectEncoder } from "@railyard/controller/service/watch/objects";
import { openSqlite, type SqliteStore } from "@railyard/controller/store/sqlite";
import { systemClock } from "@railyard/lib/clock";
import { createLog, type Log } from "@railyard/lib/log";
import { beatNodes, heardOf, plantNodes } from "./nodes.js";
import { serve } from "./remote.js";

const LEASE_MS = 24 * 3_600_000;

/** How many calls ended with each gRPC code. */
const ended: Record<string, number> = {};
let store: SqliteStore;
let controller: Controller;
let delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
let profiler: Session | undefined;
/** Resolved once agents are heard. */
const listening = (() => {
  let resolve = () => {};
  const done = new Promise<void>((now) => {
    resolve = now;
  });
  return { done, resolve };
})();

function counting(log: Log): Log {
  const info = (fields: unknown, message?: string) => {
    if (message === "dispatch started") listening.resolve();
    const code = (fields as { code?: string }).code;
    if (message === "rpc" && code) ended[code] = (ended[code] ?? 0) + 1;
    log.info(fields as object, message);
  };
  const { debug, warn, error, fatal } = log;
  const rest = { debug: debug.bind(log), warn: warn.bind(log), error: error.bind(log) };
  const made = { ...rest, fatal: fatal.bind(log), info, child };
  function child(fields: Record<string, unknown>): Log {
    return counting(log.child(fields));
  }
  return made as unknown as Log;
}

interface Given {
  readonly dataDir: string;
  readonly database: string;
  readonly batchMax?: number;
  /** Default: none, and nobody is told anything. */
  readonly broker?: string;
}

async function start(given: Given) {
  const startedAt = performance.now();
  const clock = systemClock();
  const log = counting(createLog("controller", "info"));
  store = await openSqlite({
    path: given.database,
    clock,
    log,
    onFatal: (err) => {
      throw err;
    },
    encode: objectEncoder({ catalog: storedCatalog() }, encodeObject),
    ...(given.batchMax !== undefined && { batchMax: given.batchMax }),
  });
  const here = { host: "127.0.0.1", port: 0 };
  controller = await createController(
    {
      listen: here,
      adminListen: here,
      dataDir: given.dataDir,
      broker: given.broker ?? "127.0.0.1:1",
      brokerPidFile: "",
      region: "us-east",
      heartbeatMs: 1_000,
      leaseMs: LEASE_MS,
      quarantineMs: 600_000,
      reflection: true,
      logLevel: "info",
    },
    { store, log },
  );
  await controller.start();
  if (given.broker) await listening.done;
  return { ...controller.ports, readyMs: performance.now() - startedAt };
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function stopProfile({ file }: { file: string }) {
  const { profile } = (await profiler?.post("Profiler.stop")) ?? {};
  writeFileSync(file, JSON.stringify(profile));
  profiler?.disconnect();
}

serve({
  start,
  plantNodes: (wish: { from: number; count: number }) => plantNodes(controller.context, wish),
  beatNodes: (wish: { from: number; count: number }) => beatNodes(controller.context, wish),
  /** Whose last sign of life came within the last so many milliseconds; how many of them. */
  heardOf: ({ count, withinMs }: { count: number; withinMs: number }) =>
    heardOf(controller.context, { count, withinMs }),
  counts: () => ({ ended: { ...ended }, ...store.stats(), cpuMicros: cpuMicros() }),
  memory: () => {
    globalThis.gc?.();
    return process.memoryUsage();
  },
  watchDelay: () => {
    delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
  },
  delayMs: () => {
    delay?.disable();
    return (delay?.percentile(99.9) ?? 0) / 1e6;
  },
  startProfile: async () => {
    profiler = new Session();
    profiler.connect();
    await profiler.post("Profiler.enable");
    await profiler.post("Profiler.setSamplingInterval", { interval: 200 });
    await profiler.post("Profiler.start");
  },
  stopProfile,
  stop: () => controller.stop(),
});
