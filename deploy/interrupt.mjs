// Turns SIGINT, SIGTERM, SIGHUP and a closed output into one abort, so that whoever started
// something can end it in order. Knows nothing of what is running.
import { constants } from "node:os";
import { stopCommands } from "./command.mjs";

/** Thrown once a signal asked this process to end, or nobody reads its output any more. */
export class Interrupted extends Error {
  constructor(signal) {
    super(`interrupted by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** An abort signal whose reason is an Interrupted; outside programs that run now are ended too. */
export function interruption() {
  const controller = new AbortController();
  const interrupt = (signal) => {
    controller.abort(new Interrupted(signal));
    stopCommands();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupt);
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => interrupt("SIGPIPE"));
  }
  return controller.signal;
}
