// The terminal that railctl was started from, or the pipes in its place: keys as they are typed,
// bytes shown as they are, and everything put back as it was, whatever ends the program.
import type { Readable } from "node:stream";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface Terminal {
  /** Whether somebody sits before it: both ways are a terminal. */
  readonly tty: boolean;
  readonly input: Readable;
  /** Resolves when more can be taken. */
  write(bytes: Uint8Array): Promise<void>;
  /** Undefined for pipes. */
  size(): TerminalSize | undefined;
  /** Calls `fn` after each change of size, until the answer is called. */
  onResize(fn: () => void): () => void;
  /** Keys come one by one and unchanged; does nothing for pipes. */
  setRaw(raw: boolean): void;
  /** Calls `fn` when the process is asked to end, until the answer is called. */
  onSignal(fn: () => void): () => void;
}

/** What the guest may have left behind: colours, hidden cursor, key modes, scroll region. */
const RESTORE = "\x1b[0m\x1b[?25h\x1b[?1l\x1b[?7h\x1b[?2004l\x1b[4l\x1b>\x1b(B\x1b7\x1b[r\x1b8";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** Runs `work` with keys unchanged; the terminal is as before when it ends, however it does. */
export async function withRawKeys<T>(
  terminal: Terminal,
  work: (ended: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const ignore = terminal.onSignal(() => ended.abort());
  // When the process ends without coming back here.
  const restore = () => terminal.setRaw(false);
  process.once("exit", restore);
  terminal.setRaw(true);
  try {
    return await work(ended.signal);
  } finally {
    restore();
    process.off("exit", restore);
    ignore();
    if (terminal.tty) await terminal.write(Buffer.from(RESTORE));
  }
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout } = process;
  const tty = stdin.isTTY === true && stdout.isTTY === true;
  return {
    tty,
    input: stdin,
    write: (bytes) => new Promise((resolve) => stdout.write(bytes, () => resolve())),
    size: () => (tty ? { columns: stdout.columns, rows: stdout.rows } : undefined),
    onResize(fn) {
      stdout.on("resize", fn);
      return () => stdout.off("resize", fn);
    },
    setRaw(raw) {
      if (tty) stdin.setRawMode(raw);
    },
    onSignal(fn) {
      for (const signal of SIGNALS) process.on(signal, fn);
      return () => {
        for (const signal of SIGNALS) process.off(signal, fn);
      };
    },
  };
}
