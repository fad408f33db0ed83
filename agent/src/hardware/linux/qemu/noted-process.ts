// Writes down which process a guest without a unit is, and finds it by that. One that is dying has
// no command line any more, and one that somebody broke into may take its own away: each still has
// its devices and its network, so neither may be taken for gone.
import { writeFileSync } from "node:fs";
import { refuse } from "@railyard/lib/errors";
import { readText } from "../attributes.js";
import { readOwnText } from "./own-files.js";
import type { GuestPlace } from "./place.js";
import { isAlive, lifeOf, type ProcessLife } from "./process-life.js";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const NOTE = /^([-0-9a-f]+) ([1-9]\d{0,9}) (\d{1,20})$/;

/**
 * Notes a process that runs; one that is gone leaves no note. Throws `unavailable` when it cannot
 * be written.
 */
export function noteProcess(place: GuestPlace, pid: number): void {
  const life = lifeOf(pid);
  if (!life) return;
  try {
    writeFileSync(place.process, textOf(life), { mode: 0o600, flag: "wx" });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw refuse("unavailable", `${place.process} cannot be written: ${code}`, { cause });
  }
}

/** The process that was noted, while it lives; undefined when there is none. */
export function notedProcess(place: GuestPlace): ProcessLife | undefined {
  const [, boot, pid, begun = ""] = NOTE.exec(readOwnText(place.process) ?? "") ?? [];
  // Numbers and times of processes count from the machine's start.
  if (pid === undefined || boot !== readText(BOOT_ID)) return undefined;
  const life = { pid: Number(pid), begun };
  return isAlive(life) ? life : undefined;
}

function textOf({ pid, begun }: ProcessLife): string {
  return `${readText(BOOT_ID) ?? ""} ${pid} ${begun}`;
}
