// The one log: pino JSON on standard output, constant messages, data in fields. Constructors hand
// down children; pure rooms never log. Nothing secret may be put into a field.
import { type Logger, pino } from "pino";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error" | "fatal"> & {
  child(fields: Record<string, unknown>): Log;
};

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The root log of one process. `name` is the process: controller, agent. */
export function createLog(name: string, level: LogLevel): Log {
  return pino({
    name,
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ["token", "seed", "password", "authorization"], censor: "[secret]" },
  });
}

/** A log that says nothing, for tests. */
export function silentLog(): Log {
  return pino({ level: "silent" });
}
