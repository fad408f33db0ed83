// Keeps a data directory to one agent at a time: two that act on one machine would undo each
// other's work. It must not know what the directory holds.
import { mkdir, realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { sha256Hex } from "@railyard/lib/canonical";
import { refuse } from "@railyard/lib/errors";

export interface Hold {
  /** Lets another agent have the directory. Idempotent. */
  release(): void;
}

/**
 * Takes a directory, made if need be, until released or until the process ends, however it ends:
 * the name of a socket without a file, which the kernel gives to one process only. Throws
 * `unavailable` while another agent on this machine has it, or when it cannot be had.
 */
export async function holdDirectory(directory: string): Promise<Hold> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const name = `\0railyard-agent-${sha256Hex(await realpath(directory))}`;
    return await listenOn(name);
  } catch (cause) {
    const taken = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    const why = taken ? "is in use by another agent" : "cannot be held";
    throw refuse("unavailable", `data directory ${directory} ${why}`, { cause });
  }
}

function listenOn(path: string): Promise<Hold> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => resolve({ release: () => void server.close() }));
  });
}
