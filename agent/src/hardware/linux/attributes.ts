// Reads kernel attributes: small files and links that answer from memory. What is absent reads as
// undefined, since devices may vanish between two reads; a process that cannot read at all is told
// so, or a whole machine would look empty. Knows no path of its own.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type RailyardError, refuse } from "@railyard/lib/errors";

/** The reader's own trouble, which says nothing about what it wanted to read. */
const OWN_TROUBLE = ["EMFILE", "ENFILE", "ENOMEM"];
const ABSENT = ["ENOENT", "ENOTDIR", "ENODEV", "ENXIO"];

/** The trimmed text of an attribute; undefined when it is absent or the device refuses to tell. */
export function readText(path: string): string | undefined {
  return told(path, () => readFileSync(path, "utf8"))?.trim();
}

/** The same as bytes. */
export function readBytes(path: string): Buffer | undefined {
  return told(path, () => readFileSync(path));
}

/** A decimal number; `fallback` when absent or not one. */
export function readNumber(path: string, fallback: number): number {
  const text = readText(path);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : fallback;
}

/** Where a link points, as written in it; undefined when there is none. */
export function readLink(path: string): string | undefined {
  return told(path, () => readlinkSync(path));
}

/**
 * Tells a link from one that takes its place later; undefined when there is none. The kernel gives
 * no number of its inodes twice (fs/kernfs/dir.c); other file systems do, and know when each was
 * made.
 */
export function readLinkIdentity(path: string): string | undefined {
  const found = told(path, () => lstatSync(path, { throwIfNoEntry: false }));
  return found && `${found.ino} ${found.birthtimeMs}`;
}

/** The last part of a link's target, e.g. a driver's name; empty when there is no link. */
export function readLinkName(path: string): string {
  return readLink(path)?.split("/").at(-1) ?? "";
}

/** The sorted names in a directory; none when it is absent. Throws `unavailable` otherwise. */
export function readNames(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch (err) {
    if (ABSENT.includes(codeOf(err))) return [];
    throw unreadable(path, err);
  }
}

function told<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (err) {
    // Gone, no link, or the driver answers with an error (e.g. `speed` of an interface that is
    // down).
    if (!OWN_TROUBLE.includes(codeOf(err))) return undefined;
    throw unreadable(path, err);
  }
}

function codeOf(err: unknown): string {
  return err instanceof Error && "code" in err ? String(err.code) : "";
}

function unreadable(path: string, cause: unknown): RailyardError {
  return refuse("unavailable", `${path} cannot be read: ${codeOf(cause)}`, { cause });
}
