// Every setting of the agent, its default and its check, and the files that settings name. The only
// file of the agent that reads the environment; it must not know what the settings are used for.
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { hostPort, nonEmpty, oneOf, readSettings, text, wholeNumber } from "@railyard/lib/config";
import { asRailyardError, invalid, invalidField, Violations } from "@railyard/lib/errors";
import { isId } from "@railyard/lib/ids";
import { LOG_LEVELS, type LogLevel } from "@railyard/lib/log";

/** Places at which a made-up agent can be made to die, once per data directory; for tests. */
export const FAILPOINTS = ["after-ledger-fsync", "after-apply-before-report"] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/** Who the agent is, as the operator's side enrolled it. */
export interface Credentials {
  readonly nodeId: string;
  readonly nodeName: string;
  /** Which enrolment of the node this is; rises with every new one. */
  readonly incarnation: number;
  /** nkey user seed. A secret. */
  readonly seed: string;
  /** Ed25519 key that desired states are signed with, base64url. */
  readonly controllerPublicKey: string;
  /** `host:port`; the setting goes before it. */
  readonly broker?: string;
}

/** A made-up machine to run on instead of the real one. */
export interface FakeMachine {
  /** A machine model that the fake hardware knows. */
  readonly model: string;
  readonly serial: string;
  /** Leaf switch names by NIC, then by port. */
  readonly cabling: readonly (readonly string[])[];
}

export interface AgentConfig {
  readonly credentials: Credentials;
  /** `host:port` of the broker. */
  readonly broker: string;
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  /** Upper bound between two looks at the machine, milliseconds. */
  readonly sweepMs: number;
  /** Upper bound between two reports of an unchanged machine, milliseconds. */
  readonly reportMs: number;
  /** Upper bound between two hellos of a welcomed session, milliseconds. */
  readonly helloMs: number;
  readonly fake?: FakeMachine;
  readonly failpoint?: Failpoint;
}

const period = wholeNumber(100, 3_600_000);

export const SETTINGS = {
  credentials: {
    env: "RAILYARD_AGENT_CREDENTIALS",
    about: "path of the node's credentials, a JSON file that only its owner may read",
    parse: nonEmpty,
  },
  broker: {
    env: "RAILYARD_AGENT_BROKER",
    about: "host:port of the NATS server; empty: as the credentials say",
    fallback: "",
    parse: (value: string) => (value === "" ? "" : brokerText(value)),
  },
  dataDir: {
    env: "RAILYARD_AGENT_DATA_DIR",
    about: "directory of the ledger and, with a made-up machine, of that machine",
    parse: (value: string) => resolve(nonEmpty(value)),
  },
  logLevel: {
    env: "RAILYARD_LOG_LEVEL",
    about: `one of ${LOG_LEVELS.join(", ")}`,
    fallback: "info",
    parse: oneOf(LOG_LEVELS),
  },
  sweepMs: {
    env: "RAILYARD_AGENT_SWEEP_MS",
    about: "upper bound between two looks at the machine, milliseconds",
    fallback: "10000",
    parse: period,
  },
  reportMs: {
    env: "RAILYARD_AGENT_REPORT_MS",
    about: "upper bound between two reports of an unchanged machine, milliseconds",
    fallback: "10000",
    parse: period,
  },
  helloMs: {
    env: "RAILYARD_AGENT_HELLO_MS",
    about: "upper bound between two hellos of a welcomed session, milliseconds",
    fallback: "60000",
    parse: period,
  },
  fake: {
    env: "RAILYARD_AGENT_FAKE",
    about: "path of a JSON file that describes a made-up machine; empty: the real one",
    fallback: "",
    parse: text,
  },
  failpoint: {
    env: "RAILYARD_AGENT_FAILPOINT",
    about:
      "for tests on a made-up machine: kill -9 of itself, once per data directory, at this point",
    fallback: "",
    parse: oneOf(["", ...FAILPOINTS]),
  },
};

/** Reads settings and the files they name. Throws `invalid` naming every variable that is wrong. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): AgentConfig {
  const values = readSettings(SETTINGS, env);
  const bad = new Violations();
  const read = <T>(variable: string, load: () => T): T | undefined => {
    try {
      return load();
    } catch (thrown) {
      bad.add(variable, asRailyardError(thrown).message);
      return undefined;
    }
  };
  const credentials = read(SETTINGS.credentials.env, () => readCredentials(values.credentials));
  const { fake: path, failpoint, ...rest } = values;
  const fake = path === "" ? undefined : read(SETTINGS.fake.env, () => readFake(path));
  const broker = values.broker || (credentials?.broker ?? "");
  if (credentials && broker === "") bad.add(SETTINGS.broker.env, "must be set");
  if (failpoint !== "" && path === "") {
    bad.add(SETTINGS.failpoint.env, "is allowed with a made-up machine only");
  }
  if (!credentials || bad.fields.length > 0) throw invalid(bad.fields);
  return {
    ...rest,
    credentials,
    broker,
    ...(fake && { fake }),
    ...(failpoint !== "" && { failpoint }),
  };
}

/** The configuration as it may be logged. */
export function printableConfig(config: AgentConfig) {
  const { nodeId, nodeName, incarnation, controllerPublicKey } = config.credentials;
  return { ...config, credentials: { nodeId, nodeName, incarnation, controllerPublicKey } };
}

/** Whoever can read the file is the node: others must not be able to. */
function readCredentials(path: string): Credentials {
  const record = readRecord(path);
  if ((statSync(path).mode & 0o077) !== 0) {
    throw invalidField(path, "may be readable by its owner only (chmod 600)");
  }
  const { nodeId, incarnation, broker } = record;
  if (typeof nodeId !== "string" || !isId(nodeId)) throw invalidField("nodeId", "is not an id");
  if (!Number.isSafeInteger(incarnation) || Number(incarnation) < 0) {
    throw invalidField("incarnation", "must be a whole number");
  }
  return {
    nodeId,
    nodeName: member(record, "nodeName"),
    incarnation: Number(incarnation),
    seed: member(record, "seed"),
    controllerPublicKey: member(record, "controllerPublicKey"),
    ...(typeof broker === "string" && broker !== "" && { broker: brokerText(broker) }),
  };
}

function readFake(path: string): FakeMachine {
  const record = readRecord(path);
  const cabling = record.cabling ?? [];
  const isList = (value: unknown): value is unknown[] => Array.isArray(value);
  if (!isList(cabling) || !cabling.every(isList)) {
    throw invalidField("cabling", "must be a list of lists of leaf names");
  }
  return {
    model: member(record, "model"),
    serial: member(record, "serial"),
    cabling: cabling.map((leaves) => leaves.map(String)),
  };
}

function readRecord(path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (thrown) {
    // A parser's complaint quotes the file, which may be a secret: only the system's code is told.
    const code = (thrown as NodeJS.ErrnoException).code;
    throw invalidField(path, code ? `cannot be read (${code})` : "is not JSON");
  }
  if (typeof value !== "object" || value === null) throw invalidField(path, "is not an object");
  return value as Record<string, unknown>;
}

function member(record: Readonly<Record<string, unknown>>, name: string): string {
  const value = record[name];
  if (typeof value !== "string" || value === "") throw invalidField(name, "must be a text");
  return value;
}

function brokerText(value: string): string {
  hostPort(value);
  return value;
}
