// Free TCP ports on the loopback address, and waiting until somebody listens. Knows no protocol.
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

// Below the range from which systems take the ports of outgoing connections: a port found free here
// does not become somebody's end of a connection a moment later.
const FIRST = 12_000;
const COUNT = 20_000;
/** Processes side by side begin so far apart: neither takes what the other was just given. */
const APART = 100;
const TRIES_MAX = 500;
const LOOK_AGAIN_MS = 50;

let next = (process.pid * APART) % COUNT;

/** A port that is free now and was not given out lately by this process, nor its neighbours. */
export async function freePort() {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port among ${TRIES_MAX} from ${FIRST} to ${FIRST + COUNT}`);
}

/** Resolves to true once somebody listens on `port`, to false when `signal` was aborted before. */
export async function listens(port, signal) {
  while (!signal.aborted) {
    if (await canConnect(port)) return true;
    await sleep(LOOK_AGAIN_MS);
  }
  return false;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
