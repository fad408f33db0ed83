// Tests of the agent's settings and of the files they name.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AGENT_VERSION } from "./agent.js";
import { printableConfig, readConfig } from "./config.js";

const CREDENTIALS = {
  nodeId: "node-1",
  nodeName: "one",
  incarnation: 2,
  seed: "SUSECRET",
  controllerPublicKey: "key",
  broker: "127.0.0.1:4222",
};

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "config-"));
  path = join(dir, "credentials.json");
  write(CREDENTIALS);
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(credentials: unknown, mode = 0o600): void {
  writeFileSync(path, JSON.stringify(credentials));
  chmodSync(path, mode);
}

function env(change: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { RAILYARD_AGENT_CREDENTIALS: path, RAILYARD_AGENT_DATA_DIR: dir, ...change };
}

test("credentials and a data directory suffice", () => {
  expect(readConfig(env())).toMatchObject({
    credentials: CREDENTIALS,
    broker: "127.0.0.1:4222",
    dataDir: dir,
    logLevel: "info",
  });
});

test("the broker's setting goes before the credentials'", () => {
  expect(readConfig(env({ RAILYARD_AGENT_BROKER: "nats:1" })).broker).toBe("nats:1");
});

test("a made-up machine is read from its file", () => {
  const fake = { model: "hgx-h100", serial: "GH1", cabling: [["leaf-a1", "leaf-a2"]] };
  const file = join(dir, "fake.json");
  writeFileSync(file, JSON.stringify(fake));
  const change = { RAILYARD_AGENT_FAKE: file, RAILYARD_AGENT_FAILPOINT: "after-ledger-fsync" };
  expect(readConfig(env(change))).toMatchObject({ fake, failpoint: "after-ledger-fsync" });
});

test("credentials that others may read are refused", () => {
  for (const mode of [0o640, 0o604, 0o620]) {
    write(CREDENTIALS, mode);
    expect(() => readConfig(env())).toThrow(/RAILYARD_AGENT_CREDENTIALS.*chmod 600/);
  }
});

test("malformed credentials are refused without quoting them", () => {
  writeFileSync(path, '{"seed": "SUSECRET", oops');
  expect(() => readConfig(env())).toThrow(/is not JSON/);
  expect(() => readConfig(env())).not.toThrow(/SUSECRET/);
  for (const change of [{ nodeId: "A B" }, { incarnation: -1 }, { seed: "" }, { broker: "x" }]) {
    write({ ...CREDENTIALS, ...change });
    expect(() => readConfig(env())).toThrow(/RAILYARD_AGENT_CREDENTIALS/);
  }
});

test("a failpoint is refused on a real machine", () => {
  const change = { RAILYARD_AGENT_FAILPOINT: "after-ledger-fsync" };
  expect(() => readConfig(env(change))).toThrow(/made-up machine only/);
});

test("a missing broker, an unknown setting and a bad period are refused", () => {
  const { broker: _, ...rest } = CREDENTIALS;
  write(rest);
  expect(() => readConfig(env())).toThrow(/RAILYARD_AGENT_BROKER: must be set/);
  expect(() => readConfig(env({ RAILYARD_AGENT_NONSENSE: "1" }))).toThrow(/NONSENSE/);
  expect(() => readConfig(env({ RAILYARD_AGENT_SWEEP_MS: "5" }))).toThrow(/SWEEP_MS/);
});

test("what is logged of the configuration holds no seed", () => {
  expect(JSON.stringify(printableConfig(readConfig(env())))).not.toContain("SUSECRET");
});

test("the version told to controllers is the package's", () => {
  const { version } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  ) as { version: string };
  expect(AGENT_VERSION).toBe(version);
});
