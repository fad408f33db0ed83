// A pseudo terminal between a guest's serial line and a session: it holds the window size, and as
// little as the kernel buffers of it. The only file that knows node-pty, which a machine may lack.
import { execFile } from "node:child_process";
import { accessSync, closeSync, constants, writeSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";
import { ReadStream } from "node:tty";
import { type Clock, sleep, withDeadline } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { GuestConsole } from "../hardware/hardware.js";

/** The session's end of the line. */
export interface Terminal {
  /** Bytes from the guest; ends when the line does. */
  readonly stream: Readable;
  /** Resolves when the kernel has taken them, or there is nobody any more. In turn, one by one. */
  write(bytes: Uint8Array): Promise<void>;
  resize(columns: number, rows: number): void;
  /** Calls `fn` once the guest has hung up; what it said last may still have to be read. */
  onHangUp(fn: () => void): void;
  /** Hangs up. Idempotent. */
  close(): void;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What is used of node-pty: a pair of descriptors, without a process. */
interface Native {
  open(columns: number, rows: number): { readonly master: number; readonly slave: number };
  resize(fd: number, columns: number, rows: number): void;
}

const STTY = ["/usr/bin/stty", "/bin/stty"];
const STTY_MS = 2_000;
/** How long to wait for a full terminal, milliseconds. */
const FULL_MS = 2;

/**
 * Puts a terminal before a line, every byte of which passes unchanged. Errors: `unavailable` when
 * the machine cannot make one.
 */
export async function openTerminal(
  clock: Clock,
  line: GuestConsole,
  size: TerminalSize,
): Promise<Terminal> {
  const native = await loadNative();
  const { master, slave } = native.open(size.columns, size.rows);
  const session = new ReadStream(master);
  const guest = new ReadStream(slave);
  const terminal = join({ session, guest, line: line.stream });
  try {
    await withDeadline(clock, { ms: STTY_MS, what: "the terminal" }, makeRaw(slave));
  } catch (thrown) {
    terminal.close();
    throw thrown;
  } finally {
    // Node opens a terminal anew by its name; what it was given would hide the other end's leaving.
    if (descriptorOf(guest) !== slave) closeSync(slave);
  }
  const { stream } = line;
  stream.pipe(guest);
  guest.pipe(stream);
  line.resize(size.columns, size.rows);
  return {
    ...terminal,
    write: writerOf(clock, session, master),
    onHangUp: (fn) => void stream.once("close", fn),
    resize(columns, rows) {
      if (session.destroyed) return;
      native.resize(master, columns, rows);
      line.resize(columns, rows);
    },
  };
}

async function loadNative(): Promise<Native> {
  try {
    const { native } = (await import("node-pty")) as unknown as { native: Native | null };
    if (native) return native;
  } catch (cause) {
    throw refuse("unavailable", "node-pty is not installed on this machine", { cause });
  }
  throw refuse("unavailable", "node-pty has no pseudo terminals on this machine");
}

function join(ends: {
  readonly session: ReadStream;
  readonly guest: ReadStream;
  readonly line: Duplex;
}): Pick<Terminal, "stream" | "close"> {
  const { session, guest, line } = ends;
  const close = () => {
    for (const end of [line, guest, session]) end.destroy();
  };
  // The kernel says EIO to whoever reads a terminal that the other end has left.
  for (const end of [line, guest, session]) end.on("error", () => end.destroy());
  line.once("end", () => line.destroy());
  // What the guest said last is still read by the session.
  line.on("close", () => guest.end(() => guest.destroy()));
  guest.on("close", () => line.destroy());
  session.on("close", close);
  return { stream: session, close };
}

// Node's streams over this end of a terminal write until all is taken, the whole process waiting.
// The descriptor never blocks, and is not closed between the look and the write.
function writerOf(clock: Clock, session: ReadStream, master: number): Terminal["write"] {
  let last: Promise<void> = Promise.resolve();
  const writeAll = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length && !session.destroyed; ) {
      const taken = writeSome(master, bytes.subarray(at));
      at += taken;
      if (taken === 0) await sleep(clock, FULL_MS);
    }
  };
  return (bytes) => {
    last = last.then(() => writeAll(bytes));
    return last;
  };
}

/** How many bytes were taken: none when the terminal is full, all when it is gone. */
function writeSome(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EAGAIN" ? 0 : bytes.length;
  }
}

function descriptorOf(stream: ReadStream): number | undefined {
  return (stream as unknown as { _handle?: { fd?: number } })._handle?.fd;
}

// Node's own raw mode rewrites line ends of what the guest says.
function makeRaw(fd: number): Promise<void> {
  const path = STTY.find(isExecutable);
  if (path === undefined) return Promise.reject(refuse("unavailable", "stty is not installed"));
  return new Promise((resolve, reject) => {
    const args = ["-F", `/proc/${process.pid}/fd/${fd}`, "raw", "-echo"];
    execFile(path, args, { timeout: STTY_MS, env: { LC_ALL: "C" } }, (cause) => {
      if (cause) reject(refuse("unavailable", "stty could not set the terminal", { cause }));
      else resolve();
    });
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Absent or not ours to run: the next place is tried.
    return false;
  }
}
