// Reads and shortens what is the agent's own, and reaches the sockets of guests, in folders where
// an account that is not to be trusted may have been at work: a link, a pipe or somebody else's
// file leads nowhere. It must not know what the files say.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { refuse } from "@railyard/lib/errors";

/** Whoever writes more than this says nothing that matters at its beginning. */
const BYTES_MAX = 1024 * 1024;
/** `O_PATH` of open(2), which Node does not name: only where something lies, not what is in it. */
const O_PATH = 0o10000000;
const { O_RDONLY, O_RDWR, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
/** What is left of a file that was cut. */
const KEPT_BYTES = 64 * 1024;
/** The reader's own trouble, which says nothing about the file. */
const OWN_TROUBLE = ["EMFILE", "ENFILE", "ENOMEM"];

/** Who the agent runs as. */
export function agentIds(): { readonly uid: number; readonly gid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

/**
 * The trimmed text of the agent's own regular file, the last MiB of it; undefined for anything
 * else. Never waits. Throws `unavailable` when this process cannot open any file at the moment.
 */
export function readOwnText(path: string): string | undefined {
  return opened(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, (file) => {
    const found = fstatSync(file);
    if (!found.isFile() || found.uid !== agentIds().uid) return undefined;
    const bytes = Buffer.alloc(Math.min(found.size, BYTES_MAX));
    const count = readSync(file, bytes, 0, bytes.length, found.size - bytes.length);
    return bytes.subarray(0, count).toString("utf8").trim();
  });
}

/**
 * Cuts the agent's own regular file to its newest 64 KiB once it has more than a MiB, beginning
 * with a line that says so; does nothing to anything else, nor to a file that has another name,
 * too. Whoever appends to it goes on at its new end. Never waits; throws as `readOwnText` does.
 */
export function cutOwnText(path: string): void {
  opened(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, (file) => {
    const found = fstatSync(file);
    if (!found.isFile() || found.uid !== agentIds().uid || found.nlink !== 1) return;
    if (found.size <= BYTES_MAX) return;
    const bytes = Buffer.alloc(KEPT_BYTES);
    try {
      const count = readSync(file, bytes, 0, KEPT_BYTES, found.size - KEPT_BYTES);
      ftruncateSync(file);
      writeSync(file, `(cut: ${found.size - count} bytes before this are gone)\n`);
      writeSync(file, bytes.subarray(0, count));
    } catch {
      // A disk that does not take or give it now: the next look tries again, and nobody waits.
    }
  });
}

/** Whether the path is a folder of the agent's, and no link to one. */
export function isOwnFolder(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === agentIds().uid;
}

/**
 * Begins to connect to a unix socket of the account `owner`. What is looked at is what is connected
 * to, whatever becomes of the name meanwhile. Throws `unavailable` when there is none, or when it
 * is a link or somebody else's.
 */
export function reachSocket(path: string, owner: number): Socket {
  const file = openAt(path);
  try {
    const found = fstatSync(file);
    if (!found.isSocket()) throw unreachable(path, "it is no socket");
    if (found.uid !== owner) throw unreachable(path, `it is of the account ${found.uid}`);
  } catch (thrown) {
    closeSync(file);
    throw thrown;
  }
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  return connect(`/proc/self/fd/${file}`).once("connect", close).once("close", close);
}

function openAt(path: string): number {
  try {
    return openSync(path, O_PATH | O_NOFOLLOW);
  } catch (cause) {
    throw unreachable(path, String((cause as NodeJS.ErrnoException).code), cause);
  }
}

function unreachable(path: string, why: string, cause?: unknown) {
  return refuse("unavailable", `the socket ${path} cannot be reached: ${why}`, { cause });
}

function opened<T>(path: string, flags: number, read: (file: number) => T): T | undefined {
  let file: number;
  try {
    file = openSync(path, flags);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    // Absent, or a link.
    if (!OWN_TROUBLE.includes(code)) return undefined;
    throw refuse("unavailable", `${path} cannot be read: ${code}`, { cause });
  }
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}
