// Reads one process's settings from its environment by a declared table: name, default, check, and
// whether the value may be printed. Knows nothing of any particular setting.
import { refuse, Violations } from "./errors.js";

export interface Setting<T> {
  /** Environment variable, `RAILYARD_…`. */
  readonly env: string;
  /** One line for people. */
  readonly about: string;
  /** Text used when the variable is absent; no default means that it must be given. */
  readonly fallback?: string;
  /** Secrets are masked wherever settings are printed, and have no default. */
  readonly secret?: boolean;
  /** Turns the text into a value; throws with a message that says what is wrong. */
  readonly parse: (text: string) => T;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/** Variables that belong to railctl or to another process and may stand in any environment. */
const SHARED = new Set(["RAILYARD_SERVER", "RAILYARD_ADMIN_SERVER", "RAILYARD_TOKEN"]);

/**
 * Reads every setting. Throws `invalid` naming all variables that are missing, malformed or, when
 * they begin with `RAILYARD_`, unknown.
 */
export function readSettings<S extends Settings>(settings: S, env: NodeJS.ProcessEnv): Values<S> {
  const bad = new Violations();
  const known = new Set(Object.values(settings).map((s) => s.env));
  for (const name of Object.keys(env)) {
    if (name.startsWith("RAILYARD_") && !known.has(name) && !SHARED.has(name)) {
      bad.add(name, "is not a known setting");
    }
  }
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const text = env[setting.env] ?? setting.fallback;
    if (text === undefined) {
      bad.add(setting.env, "must be set");
      continue;
    }
    try {
      values[key] = setting.parse(text);
    } catch (err) {
      bad.add(setting.env, err instanceof Error ? err.message : "is malformed");
    }
  }
  bad.throwIfAny();
  return values as Values<S>;
}

/** The settings as they may be logged: secrets masked. */
export function printable<S extends Settings>(settings: S, values: Values<S>) {
  return Object.fromEntries(
    Object.entries(settings).map(([key, s]) => [key, s.secret ? "[secret]" : values[key]]),
  );
}

/** Any text. */
export function text(value: string): string {
  return value;
}

/** Text that must not be empty. */
export function nonEmpty(value: string): string {
  if (value === "") throw refuse("invalid", "must not be empty");
  return value;
}

/** A whole number within bounds, both included. */
export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const n = Number(value);
    if (!/^\d+$/.test(value) || n < min || n > max) {
      throw refuse("invalid", `must be a whole number from ${min} to ${max}`);
    }
    return n;
  };
}

/** One of a closed set of words. */
export function oneOf<const T extends string>(words: readonly T[]): (value: string) => T {
  return (value) => {
    const found = words.find((w) => w === value);
    if (found === undefined) throw refuse("invalid", `must be one of ${words.join(", ")}`);
    return found;
  };
}

/** `true` or `false`. */
export function flag(value: string): boolean {
  return oneOf(["true", "false"])(value) === "true";
}

/** `host:port`; port 0 asks the system for a free one. */
export function hostPort(value: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9a-fA-F:]+\]|[-0-9a-zA-Z.]+):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (!match?.[1] || port > 65_535) throw refuse("invalid", "must be host:port");
  return { host: match[1], port };
}
