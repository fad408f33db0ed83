// Every setting of the agent, its default and its check, and the files that settings name. The only
// file of the agent that reads the environment; it must not know what the settings are used for.
import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import {
  hostPort,
  nonEmpty,
  oneOf,
  readSettings,
  text,
  type Values,
  wholeNumber,
} from "@railyard/lib/config";
import { asRailyardError, invalid, invalidField, refuse, Violations } from "@railyard/lib/errors";
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

/** A machine without SR-IOV, whose cluster network is made of bridges and tunnels. */
export interface OverlayMachine {
  /** Stands for the machine's own serial. */
  readonly serial: string;
  /** VFs that each rail can have. */
  readonly vfs: number;
  readonly rails: readonly {
    /** The interface that leads to the other machines of this rail. */
    readonly uplink: string;
    readonly leaf: string;
    readonly speedGbps: number;
  }[];
}

/** How the real machine is used. */
export interface LinuxSettings {
  /** What becomes of guests: processes, or files that only say what a guest would have. */
  readonly guests: "qemu" | "pretend";
  readonly accelerator: "kvm" | "tcg";
  readonly guestsDir: string;
  readonly volumesDir: string;
  readonly vpcBridge: string;
  /** The account that guests run under; empty: the agent's own. */
  readonly guestUser: string;
  /** Files that nobody but the agent may read. */
  readonly secretPaths: readonly string[];
  /** Whether functions of one IOMMU group may go to a guest one by one. */
  readonly iommu: "strict" | "shared";
  /** Which PCI functions count as GPUs: `vendor:device`, `*` for any. */
  readonly gpus: readonly string[];
  readonly overlay?: OverlayMachine;
}

/** Where the subnet manager beside the agent keeps its things. */
export interface FabricSettings {
  readonly partitionsFile: string;
  readonly pidFile: string;
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
  /** A made-up machine, or else the one that the agent runs on. */
  readonly fake?: FakeMachine;
  readonly linux?: LinuxSettings;
  /** The agent drives the subnet manager of a fabric instead of running guests. */
  readonly fabric?: FabricSettings;
  readonly failpoint?: Failpoint;
}

/** Fits the PCI functions that one made-up bus can show. */
const OVERLAY_VFS_MAX = 64;
const OVERLAY_RAILS_MAX = 16;

const GPU_SELECTOR = /^(\*|[0-9a-f]{4}):(\*|[0-9a-f]{4})$/;

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
  hardware: {
    env: "RAILYARD_AGENT_HARDWARE",
    about: "linux for the real machine, fake for a made-up one; empty: fake where one is described",
    fallback: "",
    parse: oneOf(["", "linux", "fake"]),
  },
  guests: {
    env: "RAILYARD_AGENT_GUESTS",
    about: "qemu; or pretend: devices are prepared and no guest is run; for labs only",
    fallback: "qemu",
    parse: oneOf(["qemu", "pretend"]),
  },
  role: {
    env: "RAILYARD_AGENT_ROLE",
    about: "hypervisor, or fabric: drives OpenSM on this machine and runs no guests",
    fallback: "hypervisor",
    parse: oneOf(["hypervisor", "fabric"]),
  },
  partitionsFile: {
    env: "RAILYARD_AGENT_PARTITIONS_FILE",
    about: "partition file of OpenSM, its -P; the agent replaces it whole",
    fallback: "/etc/opensm/partitions.conf",
    parse: absolutePath,
  },
  openSmPidFile: {
    env: "RAILYARD_AGENT_OPENSM_PID_FILE",
    about: "file with the process id of OpenSM, which reads its settings again on SIGHUP",
    fallback: "/run/opensm.pid",
    parse: absolutePath,
  },
  accelerator: {
    env: "RAILYARD_AGENT_ACCELERATOR",
    about: "what runs guests' code: kvm, or tcg (slow, for machines without virtualisation)",
    fallback: "kvm",
    parse: oneOf(["kvm", "tcg"]),
  },
  guestsDir: {
    env: "RAILYARD_AGENT_GUESTS_DIR",
    about: "directory of guests and their sockets, with a short path; empty: in the data directory",
    fallback: "",
    parse: text,
  },
  volumesDir: {
    env: "RAILYARD_AGENT_VOLUMES_DIR",
    about: "directory of volumes, which outlive guests; empty: in the data directory",
    fallback: "",
    parse: text,
  },
  vpcBridge: {
    env: "RAILYARD_AGENT_VPC_BRIDGE",
    about: "bridge of the guests' VPC interfaces; made, without any uplink, when there is none",
    fallback: "railyard-vpc",
    parse: nonEmpty,
  },
  guestUser: {
    env: "RAILYARD_AGENT_GUEST_USER",
    about: "account that guests run under; empty: the agent's own, see docs/guests.md",
    fallback: "",
    parse: text,
  },
  iommu: {
    env: "RAILYARD_AGENT_IOMMU",
    about: "strict, or shared: functions of one IOMMU group go to one guest; for labs only",
    fallback: "strict",
    parse: oneOf(["strict", "shared"]),
  },
  overlay: {
    env: "RAILYARD_AGENT_OVERLAY",
    about: "path of a JSON file that describes rails without SR-IOV; for labs only; empty: none",
    fallback: "",
    parse: text,
  },
  fake: {
    env: "RAILYARD_AGENT_FAKE",
    about: "path of a JSON file that describes a made-up machine; empty: the real one",
    fallback: "",
    parse: text,
  },
  gpus: {
    env: "RAILYARD_AGENT_GPUS",
    about: "PCI vendor:device of what counts as a GPU, separated by commas; * stands for any",
    fallback: "10de:*",
    parse: gpuSelectors,
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
  const { fake: path, overlay: overlayPath, failpoint, hardware } = values;
  const { dataDir, logLevel, sweepMs, reportMs, helloMs } = values;
  const fake = path === "" ? undefined : read(SETTINGS.fake.env, () => readFake(path));
  const overlay =
    overlayPath === "" ? undefined : read(SETTINGS.overlay.env, () => readOverlay(overlayPath));
  const broker = values.broker || (credentials?.broker ?? "");
  if (credentials && broker === "") bad.add(SETTINGS.broker.env, "must be set");
  if (failpoint !== "" && path === "") {
    bad.add(SETTINGS.failpoint.env, "is allowed with a made-up machine only");
  }
  if (hardware === "linux" && path !== "") bad.add(SETTINGS.fake.env, "describes no real machine");
  if (hardware === "fake" && path === "") bad.add(SETTINGS.fake.env, "must be set");
  if (overlayPath !== "" && path !== "") bad.add(SETTINGS.overlay.env, "is for real machines");
  if (!credentials || bad.fields.length > 0) throw invalid(bad.fields);
  return {
    ...{ credentials, broker, dataDir, logLevel, sweepMs, reportMs, helloMs },
    ...(fake ? { fake } : { linux: { ...linuxSettings(values), ...(overlay && { overlay }) } }),
    ...(values.role === "fabric" && { fabric: fabricSettings(values) }),
    ...(failpoint !== "" && { failpoint }),
  };
}

function linuxSettings(values: Values<typeof SETTINGS>): LinuxSettings {
  const { guests, accelerator, vpcBridge, guestUser, iommu, gpus, dataDir } = values;
  return {
    ...{ guests, accelerator, vpcBridge, guestUser, iommu, gpus },
    guestsDir: resolve(values.guestsDir || join(dataDir, "guests")),
    volumesDir: resolve(values.volumesDir || join(dataDir, "volumes")),
    secretPaths: [resolve(values.credentials)],
  };
}

function fabricSettings(values: Values<typeof SETTINGS>): FabricSettings {
  return { partitionsFile: values.partitionsFile, pidFile: values.openSmPidFile };
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

function readOverlay(path: string): OverlayMachine {
  const record = readRecord(path);
  const { vfs, rails } = record;
  if (!Number.isInteger(vfs) || Number(vfs) < 1 || Number(vfs) > OVERLAY_VFS_MAX) {
    throw invalidField("vfs", `must be a whole number from 1 to ${OVERLAY_VFS_MAX}`);
  }
  if (!Array.isArray(rails) || rails.length < 1 || rails.length > OVERLAY_RAILS_MAX) {
    throw invalidField("rails", `must be a list of 1 to ${OVERLAY_RAILS_MAX} rails`);
  }
  return {
    serial: member(record, "serial"),
    vfs: Number(vfs),
    rails: rails.map((rail: Readonly<Record<string, unknown>>) => {
      const speedGbps = Number(rail.speedGbps);
      if (!(speedGbps > 0)) throw invalidField("speedGbps", "must be a number above 0");
      return { uplink: member(rail, "uplink"), leaf: member(rail, "leaf"), speedGbps };
    }),
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

function gpuSelectors(value: string): readonly string[] {
  const selectors = value.split(",").map((selector) => selector.trim());
  if (!selectors.every((selector) => GPU_SELECTOR.test(selector))) {
    throw refuse("invalid", "must be vendor:device in lower-case hexadecimal, by commas");
  }
  return selectors;
}

function absolutePath(value: string): string {
  if (!isAbsolute(value)) throw refuse("invalid", "must be a path from the root");
  return value;
}

function brokerText(value: string): string {
  hostPort(value);
  return value;
}
