// What surrounds one run of railctl: its streams, its environment, time and chance. Tests make
// their own.
import { type Clock, systemClock } from "@railyard/lib/clock";
import { type Rng, systemRng } from "@railyard/lib/rng";
import { type Environment, readEnvironment } from "./config.js";
import { processTerminal, type Terminal } from "./terminal.js";

/** One stream to the caller. */
export interface Stream {
  readonly write: (text: string) => void;
  readonly tty: boolean;
  /** Width of the terminal in characters, where there is one. */
  readonly columns?: number | undefined;
}

export interface Shell {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** Reads the environment; throws `invalid` when it is malformed. */
  readonly environment: () => Environment;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Where somebody types; absent where nobody can. */
  readonly terminal?: () => Terminal;
}

/** The shell this process was started from. */
export function processShell(): Shell {
  return {
    // Whoever read the answer has seen enough, as `head` does: a watch would go on for nobody.
    stdout: streamOf(process.stdout, () => process.exit()),
    stderr: streamOf(process.stderr, () => undefined),
    environment: readEnvironment,
    clock: systemClock(),
    rng: systemRng(),
    terminal: processTerminal,
  };
}

/** `onClosed`: what to do once nobody reads it any more. */
function streamOf(stream: NodeJS.WriteStream, onClosed: () => void): Stream {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    onClosed();
  });
  return {
    write: (text) => void stream.write(text),
    tty: stream.isTTY === true,
    columns: stream.columns,
  };
}
