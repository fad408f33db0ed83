// What railctl takes from its environment. Variables of other processes may stand there too, so
// only its own are looked at. It knows nothing of commands and flags.

import { hostPort, nonEmpty, readSettings, type Settings } from "@railyard/lib/config";
import { invalidField } from "@railyard/lib/errors";

const SETTINGS = {
  server: {
    env: "RAILYARD_SERVER",
    about: "host:port of the tenant listener",
    fallback: "127.0.0.1:7443",
    parse: address,
  },
  adminServer: {
    env: "RAILYARD_ADMIN_SERVER",
    about: "host:port of the operator listener",
    fallback: "127.0.0.1:7444",
    parse: address,
  },
} satisfies Settings;

export interface Environment {
  readonly server: string;
  readonly adminServer: string;
  /** The bearer token; a secret. */
  readonly token: string | undefined;
  /** False when NO_COLOR asks for plain text. */
  readonly color: boolean;
}

/** Reads the environment; throws `invalid` naming every malformed variable. */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  const own = Object.values(SETTINGS).map(({ env: name }) => name);
  const known = Object.fromEntries(own.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  return {
    ...readSettings(SETTINGS, known),
    token: env.RAILYARD_TOKEN || undefined,
    color: !env.NO_COLOR && env.TERM !== "dumb",
  };
}

/** Checks `host:port` and gives it back as written. */
export function address(value: string): string {
  hostPort(nonEmpty(value));
  return value;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;

/** Milliseconds of `500ms`, `60s`, `15m`, `24h` or `7d`; throws `invalid` naming `field`. */
export function durationMs(value: string, field: string): number {
  const [, count, unit] = DURATION.exec(value) ?? [];
  const ms = Number(count) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  if (!(ms > 0)) throw invalidField(field, "must be a duration such as 500ms, 60s, 15m or 24h");
  return ms;
}
