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
  readonly dir: string;
  /** QMP. */
  readonly control: string;
  readonly serial: string;
  readonly pid: string;
  /** What QEMU complained about; empty in good times. */
  readonly complaints: string;
  /** How its process failed, in words; only of one that is no unit. */
  readonly failure: string;
  readonly definition: string;
  /** The disk over the image, where no boot volume is asked for. */
  readonly disk: string;
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
  const dir = join(guestsDir, instanceId);
  const serial = join(dir, "serial.sock");
  checkSocket(serial);
  return {
    instanceId,
    dir,
    control: join(dir, "qmp.sock"),
    serial,
    pid: join(dir, "pid"),
    complaints: join(dir, "complaints"),
    failure: join(dir, "failure"),
    definition: join(dir, "definition.json"),
    disk: join(dir, "disk.qcow2"),
    seed: join(dir, "seed.iso"),
    seedFiles: join(dir, "seed"),
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
