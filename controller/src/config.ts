// Every setting of the controller, its default and its check, and the files that settings name. The
// only file of the controller that reads the environment; it must not know what settings are for.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  flag,
  hostPort,
  nonEmpty,
  oneOf,
  readSettings,
  type Setting,
  wholeNumber,
} from "@railyard/lib/config";
import { invalid, refuse, Violations } from "@railyard/lib/errors";
import { LOG_LEVELS, type LogLevel } from "@railyard/lib/log";

/** Places at which the controller can be made to die, once per data directory; for tests. */
export const FAILPOINTS = ["after-commit-before-publish"] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ControllerConfig {
  /** Where tenants reach it; port 0 takes a free one. */
  readonly listen: Address;
  /** Where operators reach it. */
  readonly adminListen: Address;
  readonly dataDir: string;
  /** `host:port` of the NATS server. */
  readonly broker: string;
  /** The NATS server's pid file: it gets SIGHUP when its users change. Empty: nobody is told. */
  readonly brokerPidFile: string;
  readonly region: string;
  /** How often agents send a heartbeat, milliseconds. */
  readonly heartbeatMs: number;
  /** How long one heartbeat keeps a node alive, milliseconds. */
  readonly leaseMs: number;
  /** How long identities rest before they may be used again, milliseconds. */
  readonly quarantineMs: number;
  /** After so long without a byte a console session ends, milliseconds; absent: 15 minutes. */
  readonly consoleIdleMs?: number;
  /** Calls that one account may have under way; 0: as many as come; absent: 512. */
  readonly accountCallsMax?: number;
  /** Connections to one listener; absent: 4 096. */
  readonly connectionsMax?: number;
  /** Connections from one address to one listener; absent: 1 024. */
  readonly peerConnectionsMax?: number;
  readonly reflection: boolean;
  readonly logLevel: LogLevel;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  readonly failpoint?: Failpoint;
  /** An operator's word that commits known to be lost are accepted as lost. */
  readonly acceptLostCommits?: boolean;
}

const period = wholeNumber(10, 24 * 3_600_000);
/** Two listeners' worth leaves room among the open files that the program is given. */
const connections = wholeNumber(1, 16_384);
const pathOrNothing = (value: string) => (value === "" ? "" : resolve(value));

export const SETTINGS = {
  listen: {
    env: "RAILYARD_CONTROLLER_LISTEN",
    about: "host:port for tenants; port 0 takes a free one, told in endpoints.json",
    fallback: "127.0.0.1:7443",
    parse: hostPort,
  },
  adminListen: {
    env: "RAILYARD_CONTROLLER_ADMIN_LISTEN",
    about: "host:port for operators",
    fallback: "127.0.0.1:7444",
    parse: hostPort,
  },
  dataDir: {
    env: "RAILYARD_CONTROLLER_DATA_DIR",
    about: "directory of the database, keys, the operator's token and the broker's users",
    parse: (value: string) => resolve(nonEmpty(value)),
  },
  broker: {
    env: "RAILYARD_CONTROLLER_BROKER",
    about: "host:port of the NATS server",
    fallback: "127.0.0.1:4222",
    parse: brokerText,
  },
  brokerPidFile: {
    env: "RAILYARD_CONTROLLER_BROKER_PID_FILE",
    about: "the NATS server's pid file, to tell it (SIGHUP) of new users; empty: nobody is told",
    fallback: "",
    parse: pathOrNothing,
  },
  region: {
    env: "RAILYARD_CONTROLLER_REGION",
    about: "name of the region that this controller serves",
    fallback: "us-east",
    parse: regionName,
  },
  heartbeatMs: {
    env: "RAILYARD_CONTROLLER_HEARTBEAT_MS",
    about: "how often agents send a heartbeat, milliseconds",
    fallback: "1000",
    parse: period,
  },
  leaseMs: {
    env: "RAILYARD_CONTROLLER_LEASE_MS",
    about: "how long one heartbeat keeps a node alive, milliseconds; more than two heartbeats",
    fallback: "5000",
    parse: period,
  },
  quarantineMs: {
    env: "RAILYARD_CONTROLLER_QUARANTINE_MS",
    about: "how long MACs and isolation ids rest before they may be used again, milliseconds",
    fallback: "600000",
    parse: wholeNumber(0, 30 * 24 * 3_600_000),
  },
  consoleIdleMs: {
    env: "RAILYARD_CONTROLLER_CONSOLE_IDLE_MS",
    about: "after how long without a byte either way a console session ends, milliseconds",
    fallback: "900000",
    parse: wholeNumber(1_000, 24 * 3_600_000),
  },
  accountCallsMax: {
    env: "RAILYARD_CONTROLLER_ACCOUNT_CALLS_MAX",
    about: "calls that one account may have under way at the same time; 0: as many as come",
    fallback: "512",
    parse: wholeNumber(0, 65_536),
  },
  connectionsMax: {
    env: "RAILYARD_CONTROLLER_CONNECTIONS_MAX",
    about: "connections to one listener; both together need as many open files",
    fallback: "4096",
    parse: connections,
  },
  peerConnectionsMax: {
    env: "RAILYARD_CONTROLLER_PEER_CONNECTIONS_MAX",
    about: "connections from one address to one listener; behind a proxy that is all its clients'",
    fallback: "1024",
    parse: connections,
  },
  reflection: {
    env: "RAILYARD_CONTROLLER_REFLECTION",
    about: "true or false: whether both listeners describe their services to anybody",
    fallback: "true",
    parse: flag,
  },
  logLevel: {
    env: "RAILYARD_LOG_LEVEL",
    about: `one of ${LOG_LEVELS.join(", ")}`,
    fallback: "info",
    parse: oneOf(LOG_LEVELS),
  },
  acceptLostCommits: {
    env: "RAILYARD_CONTROLLER_ACCEPT_LOST_COMMITS",
    about: "true or false: go on although nodes hold what the database lost; they are quarantined",
    fallback: "false",
    parse: flag,
  },
  tlsCert: {
    env: "RAILYARD_CONTROLLER_TLS_CERT",
    about: "path of the certificate chain, PEM; without TLS only loopback may be bound",
    fallback: "",
    parse: pathOrNothing,
  },
  tlsKey: {
    env: "RAILYARD_CONTROLLER_TLS_KEY",
    about: "path of the private key, PEM",
    fallback: "",
    parse: pathOrNothing,
  },
  failpoint: {
    env: "RAILYARD_CONTROLLER_FAILPOINT",
    about: "for tests: kill -9 of itself, once per data directory, at this point",
    fallback: "",
    parse: oneOf(["", ...FAILPOINTS]),
  },
} satisfies Readonly<Record<string, Setting<unknown>>>;

/** Reads settings and the files they name. Throws `invalid` naming every variable that is wrong. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): ControllerConfig {
  const { tlsCert, tlsKey, failpoint, ...values } = readSettings(SETTINGS, env);
  const bad = new Violations();
  const cert = readPem(SETTINGS.tlsCert.env, tlsCert, bad);
  const key = readPem(SETTINGS.tlsKey.env, tlsKey, bad);
  if ((tlsCert === "") !== (tlsKey === "")) {
    bad.add(SETTINGS.tlsCert.env, `goes with ${SETTINGS.tlsKey.env}: set both or neither`);
  }
  const tls = cert && key ? { cert, key } : undefined;
  for (const name of ["listen", "adminListen"] as const) {
    if (tlsCert === "" && !isLoopback(values[name].host)) {
      bad.add(SETTINGS[name].env, "without TLS only a loopback address may be bound");
    }
  }
  if (values.leaseMs <= 2 * values.heartbeatMs) {
    bad.add(SETTINGS.leaseMs.env, `must be more than twice ${SETTINGS.heartbeatMs.env}`);
  }
  if (bad.fields.length > 0) throw invalid(bad.fields);
  return { ...values, ...(tls && { tls }), ...(failpoint !== "" && { failpoint }) };
}

/** The configuration as it may be logged. */
export function printableConfig({ tls, ...rest }: ControllerConfig) {
  return { ...rest, tls: tls !== undefined };
}

function readPem(variable: string, path: string, bad: Violations): Buffer | undefined {
  if (path === "") return undefined;
  try {
    return readFileSync(path);
  } catch (thrown) {
    bad.add(variable, `${path} cannot be read (${(thrown as NodeJS.ErrnoException).code})`);
    return undefined;
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

function brokerText(value: string): string {
  hostPort(value);
  return value;
}

function regionName(value: string): string {
  if (/^[a-z][-a-z0-9]{0,31}$/.test(value)) return value;
  throw refuse("invalid", "must be 1 to 32 of a-z 0-9 -, beginning with a letter");
}
