// Where one guest's files lie, by its instance id. Checks everything that later stands in a command
// line or a socket's address; it reads and writes nothing.
import { join } from "node:path";
import { invalidField } from "@railyard/lib/errors";

/** What `sun_path` of a unix socket's address can hold, less the final zero; see unix(7). */
export const SOCKET_PATH_BYTES_MAX = 107;
const ID = /^[0-9A-Za-z_][-0-9A-Za-z_]{0,63}$/;
/** QEMU reads commas as separators; anything else that is odd is not worth the trouble. */
const PLAIN_PATH = /^\/[-0-9A-Za-z_.+@/]*$/;

export interface GuestPlace {
  readonly instanceId: string;
  /** The agent's own: a guest's account may pass through it and change nothing in it. */
  readonly dir: string;
  /** What QEMU writes to; its account's own. Nothing that the agent keeps lies in it. */
  readonly box: string;
  /** QMP; in the box. */
  readonly control: string;
  /** In the box. */
  readonly serial: string;
  /** In the box. */
  readonly pid: string;
  /** The disk over the image, where no boot volume is asked for; in the box. */
  readonly disk: string;
  /**
   * What QEMU complained about; empty in good times. It has the file open, not its name, and writes
   * at its end: each look of the agent cuts a long one.
   */
  readonly complaints: string;
  /** How its process failed, in words; only of one that is no unit. */
  readonly failure: string;
  /** Which process it is; likewise. */
  readonly process: string;
  /** There from when the guest was told to stop: however it ends then, it was made to. */
  readonly stopping: string;
  readonly definition: string;
  /** For QEMU to read. */
  readonly seed: string;
  /** What the seed image is made from. */
  readonly seedFiles: string;
}

/** Whether a name below the guests' directory can be a guest's. */
export function isGuestId(name: string): boolean {
  return ID.test(name);
}

/**
 * The places of one guest. Throws `invalid` when the id is none, when the directory has characters
 * that no command line may see, or when a socket below it would have too long an address.
 */
export function guestPlace(guestsDir: string, instanceId: string): GuestPlace {
  if (!ID.test(instanceId)) throw invalidField("instanceId", "must be an id");
  checkGuestsDir(guestsDir);
  const place = pathsOf(guestsDir, instanceId);
  checkSocket(place.serial);
  return place;
}

/** The same, unchecked: for telling whether something lies there. */
export function pathsOf(guestsDir: string, instanceId: string): GuestPlace {
  const dir = join(guestsDir, instanceId);
  return {
    instanceId,
    dir,
    ...inBox(join(dir, "box")),
    complaints: join(dir, "complaints"),
    failure: join(dir, "failure"),
    process: join(dir, "process"),
    stopping: join(dir, "stopping"),
    definition: join(dir, "definition.json"),
    seed: join(dir, "seed.iso"),
    seedFiles: join(dir, "seed"),
  };
}

/**
 * Where an earlier version of the agent had what is in the box: in the folder itself, which then
 * was the account's. Guests that it started run on there.
 */
export function flatPlace(place: GuestPlace): GuestPlace {
  return { ...place, ...inBox(place.dir) };
}

function inBox(box: string): Pick<GuestPlace, "box" | "control" | "serial" | "pid" | "disk"> {
  return {
    box,
    control: join(box, "qmp.sock"),
    serial: join(box, "serial.sock"),
    pid: join(box, "pid"),
    disk: join(box, "disk.qcow2"),
  };
}

/** Whether a path is absolute and of characters that no command line reads in another way. */
export function isPlainPath(path: string): boolean {
  return PLAIN_PATH.test(path);
}

/** Throws `invalid` unless the path is absolute and of plain characters. */
export function checkGuestsDir(dir: string): void {
  if (isPlainPath(dir)) return;
  throw invalidField("guests directory", "must be absolute, of letters, digits and -_.+@/ only");
}

function checkSocket(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return;
  throw invalidField(
    "guests directory",
    `is too deep: the socket ${path} has ${bytes} bytes, at most ${SOCKET_PATH_BYTES_MAX} work`,
  );
}
