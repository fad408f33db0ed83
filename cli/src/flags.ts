// Flags that many verbs share, and how flag texts become values. It knows no noun.
import { invalidField } from "@railyard/lib/errors";
import type { Command } from "commander";
import type { Session } from "./session.js";

export interface CheckFlags {
  readonly validateOnly?: boolean;
}

export interface CreateFlags extends CheckFlags {
  readonly requestId?: string;
}

export interface ChangeFlags extends CheckFlags {
  readonly etag?: string;
}

const CHECK = ["--validate-only", "check everything, change nothing"] as const;

/** Adds what every create takes. */
export function creating(command: Command): Command {
  return command
    .option("--request-id <uuid>", "makes repeating safe (made up when absent)")
    .option(...CHECK);
}

/** Adds what every change and delete takes. */
export function changing(command: Command): Command {
  return command
    .option("--etag <etag>", "act only while the object still has this etag")
    .option(...CHECK);
}

/** The fields of a create that come from its shared flags. */
export function creation(session: Session, flags: CreateFlags) {
  noteCheck(session, flags);
  return {
    requestId: session.requestId(flags.requestId),
    validateOnly: flags.validateOnly ?? false,
  };
}

/** The fields of a change that come from its shared flags. */
export function change(session: Session, flags: ChangeFlags) {
  noteCheck(session, flags);
  return { etag: flags.etag ?? "", validateOnly: flags.validateOnly ?? false };
}

function noteCheck(session: Session, { validateOnly }: CheckFlags): void {
  if (validateOnly) session.note("checking only: nothing is changed");
}

/** For flags that may be repeated: keeps their order. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** A whole number ≥ 0; throws `invalid` naming `flag`. */
export function wholeNumber(value: string, flag: string): number {
  if (!/^\d{1,15}$/.test(value)) throw invalidField(flag, "must be a whole number");
  return Number(value);
}

/** `true` or `false`; throws `invalid` naming `flag`. */
export function trueOrFalse(value: string, flag: string): boolean {
  if (value !== "true" && value !== "false") throw invalidField(flag, "must be true or false");
  return value === "true";
}

/** `subnet=a,name=b` as keys and values; throws `invalid` naming `flag`. */
export function keyValues(
  value: string,
  flag: string,
  keys: readonly string[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const part of value.split(",")) {
    const [, key = "", text = ""] = /^([-a-z]+)=(.+)$/.exec(part.trim()) ?? [];
    if (!keys.includes(key)) {
      throw invalidField(flag, `"${part}" must be KEY=VALUE with ${keys.join(", ")}`);
    }
    if (found.has(key)) throw invalidField(flag, `${key} is given twice`);
    found.set(key, text);
  }
  return found;
}

/** New values and the mask that names them; throws `invalid` when nothing is given. */
export function updates<T extends object>(values: { [K in keyof T]: T[K] | undefined }) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  if (given.length === 0) {
    const flags = Object.keys(values).map((key) => `--${kebab(key)}`);
    throw invalidField("update", `give at least one of ${flags.join(", ")}`);
  }
  const paths = given.map(([key]) => kebab(key).replaceAll("-", "_"));
  return { values: Object.fromEntries(given) as Partial<T>, updateMask: paths };
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
