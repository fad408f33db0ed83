// The one log: pino JSON on standard output, constant messages, data in fields. Constructors hand
// down children; pure rooms never log. Nothing secret may be put into a field.
import { type Logger, pino } from "pino";
import { type Clock, systemClock } from "./clock.js";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error" | "fatal"> & {
  child(fields: Record<string, unknown>): Log;
};

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Lines that wait for the end of their turn, at most. */
const LINES_MAX = 256;
const SECOND_MS = 1_000;

/**
 * The root log of one process. `name` is the process: controller, agent. Lines of one turn of the
 * event loop are written together at its end; one at `error` or above takes all before it along at
 * once, and so does the end of the process.
 */
export function createLog(name: string, level: LogLevel, clock: Clock = systemClock()): Log {
  const lines = new Lines(pino.destination({ dest: STANDARD_OUTPUT, sync: true }));
  process.once("exit", () => lines.flushSync());
  return pino(
    {
      name,
      level,
      timestamp: timestamps(clock),
      redact: { paths: ["token", "seed", "password", "authorization"], censor: "[secret]" },
    },
    lines,
  );
}

/** A log that says nothing, for tests. */
export function silentLog(): Log {
  return pino({ level: "silent" });
}

const STANDARD_OUTPUT = 1;
/** What pino calls `error`. */
const ERROR = 50;

/** Gathers lines, so that a turn with many of them costs one write. Never holds an error back. */
export class Lines {
  /** Asks pino to set `lastLevel` before each line. */
  readonly [pino.symbols.needsMetadataGsym] = true;
  lastLevel = 0;
  private waiting: string[] = [];

  constructor(private readonly file: { write(text: string): unknown }) {}

  write(line: string): void {
    if (this.waiting.length === 0) setImmediate(() => this.flushSync());
    this.waiting.push(line);
    const urgent = this.lastLevel >= ERROR;
    if (urgent || this.waiting.length >= LINES_MAX) this.flushSync();
  }

  flushSync(): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    this.file.write(waiting.join(""));
  }
}

/** The member `time` of a line: ISO 8601 in UTC, with its second spelled out once a second. */
export function timestamps(clock: Clock): () => string {
  let second = Number.NaN;
  let text = "";
  return () => {
    const now = clock.now();
    const ms = now % SECOND_MS;
    if (now - ms !== second) {
      second = now - ms;
      text = new Date(second).toISOString().slice(0, -"000Z".length);
    }
    return `,"time":"${text}${String(ms).padStart(3, "0")}Z"`;
  };
}
