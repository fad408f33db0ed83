// A log whose lines are kept, as they would have been written, for tests that read them.
import { Writable } from "node:stream";
import type { Log } from "@railyard/lib/log";
import { pino } from "pino";

/** Every line of every level, and of every child. */
export function keptLog(): { readonly log: Log; readonly lines: readonly string[] } {
  const lines: string[] = [];
  const out = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(line.toString());
      done();
    },
  });
  return { log: pino({ level: "debug" }, out), lines };
}
