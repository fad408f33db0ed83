// The folder of a guest on disk: made, taken over from an earlier agent, and what the agent keeps
// in it. Everything but the box in it is the agent's; it must not know how a guest is run.
import { chmodSync, lchownSync, lstatSync } from "node:fs";
import { chmod, chown, lchown, lstat, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { refuse } from "@railyard/lib/errors";
import { readNames } from "../attributes.js";
import { agentIds, isOwnFolder, readOwnText } from "./own-files.js";
import { flatPlace, type GuestPlace, isGuestId } from "./place.js";
import type { GuestUser } from "./processes.js";

/** The agent's, and a way through to the box for the guest's account. */
const WAY_MODE = 0o711;
const OWNER_MODE = 0o700;
/** The agent's, for the guest's group to read. */
const SHOWN_MODE = 0o640;

/** What the folder of a guest says of it. */
export interface GuestRecord {
  readonly bootCount: number;
  readonly args: readonly string[];
}

/**
 * Takes back folders that an earlier agent gave to the account of their guests: from then on that
 * account can put nothing into them. Guests that run go on, having what they need open. Throws
 * `unavailable` when one cannot be taken.
 */
export function reclaimFolders(guestsDir: string): void {
  const { uid, gid } = agentIds();
  for (const id of readNames(guestsDir).filter(isGuestId)) {
    const path = join(guestsDir, id);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isDirectory() || found.uid === uid) continue;
    try {
      lchownSync(path, uid, gid);
      chmodSync(path, WAY_MODE);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw refuse("unavailable", `${path} cannot be taken back: ${code}`, { cause });
    }
  }
}

/**
 * Makes the folder and its box, with the disk in it that an earlier agent had beside it. Throws
 * `unavailable` where each has one, as after a downgrade: which of them holds what the guest's
 * owner wants is not the agent's to say.
 */
export async function makeFolder(place: GuestPlace, user: GuestUser | undefined): Promise<void> {
  const { dir, box, disk } = place;
  await mkdir(dir, { recursive: true, mode: OWNER_MODE });
  await chmod(dir, user ? WAY_MODE : OWNER_MODE);
  if ((await lstat(box).catch(() => undefined))?.isDirectory() === false) await rm(box);
  await mkdir(box, { recursive: true, mode: OWNER_MODE });
  const before = flatPlace(place).disk;
  if (!(await isFile(before))) return;
  if (await isFile(disk)) {
    throw refuse(
      "unavailable",
      `the guest has two disks, of which one may stay: ${before}, ${disk}`,
    );
  }
  await rename(before, disk);
}

/** And no link: what an account has put there may be anything. Errors: see `unlessAbsent`. */
export async function isFile(path: string): Promise<boolean> {
  return (await unlessAbsent(path, lstat(path)))?.isFile() === true;
}

/**
 * What was found out about a path; undefined where nothing is. Throws `unavailable` when that
 * cannot be told: what is there may hold what nobody has a second time.
 */
export async function unlessAbsent<T>(path: string, looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw refuse("unavailable", `whether ${path} is there cannot be told: ${code}`, { cause });
  }
}

/** Gives to the guest's account what QEMU writes to, and lets it read the seed. */
export async function handOver(
  { box, seed }: GuestPlace,
  user: GuestUser | undefined,
  disks: readonly string[],
): Promise<void> {
  const own = agentIds();
  const { uid, gid } = user ?? own;
  // What is in the box may be a link by now.
  for (const path of [...disks, box]) await lchown(path, uid, gid);
  await chown(seed, own.uid, gid);
  await chmod(seed, SHOWN_MODE);
}

/** Undefined when there is none, or none of the agent's: then nothing is known but that it is. */
export function readRecord(place: GuestPlace): GuestRecord | undefined {
  try {
    return JSON.parse(readOwnText(place.definition) ?? "");
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    // Absent or cut off: such a guest was never started.
    return undefined;
  }
}

/**
 * What the folder says of the guest from now on, once `work` was done. The record is written before
 * that, and only put in its place after it: on a full disk nothing is done, again and again.
 */
export async function writeRecord(
  place: GuestPlace,
  record: GuestRecord,
  work: () => Promise<void> = async () => {},
): Promise<void> {
  const draft = `${place.definition}.draft`;
  await rm(draft, { force: true });
  await writeFile(draft, JSON.stringify(record), { mode: 0o600, flush: true, flag: "wx" });
  await work();
  await rename(draft, place.definition);
}

/** One of the files that the seed was made from; undefined unless it is the agent's own. */
export function readSeedFile({ seedFiles }: GuestPlace, name: string): string | undefined {
  return isOwnFolder(seedFiles) ? readOwnText(join(seedFiles, name)) : undefined;
}

/** From now on the guest does not end by itself. */
export async function noteStopping(place: GuestPlace): Promise<void> {
  // A full disk must not keep a guest running, nor is there anything to note of one without traces
  // or of one of which it is noted; a link there may lead to a file that is worth something.
  await writeFile(place.stopping, "", { mode: 0o600, flag: "wx" }).catch(() => undefined);
}
