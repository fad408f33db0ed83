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

test("what counts as a GPU is a list of vendor:device", () => {
  const gpus = (value: string) => readConfig(env({ RAILYARD_AGENT_GPUS: value })).linux?.gpus;
  expect(readConfig(env()).linux?.gpus).toEqual(["10de:*"]);
  expect(gpus("10de:*, 1b36:0005")).toEqual(["10de:*", "1b36:0005"]);
  expect(() => gpus("10DE:2330")).toThrow(/GPUS/);
  expect(() => gpus("")).toThrow(/GPUS/);
});

test("without a made-up machine guests run on the real one, below the data directory", () => {
  expect(readConfig(env()).linux).toMatchObject({
    accelerator: "kvm",
    guestsDir: join(dir, "guests"),
    volumesDir: join(dir, "volumes"),
    iommu: "strict",
  });
  const set = { RAILYARD_AGENT_ACCELERATOR: "tcg", RAILYARD_AGENT_GUESTS_DIR: "/run/guests" };
  expect(readConfig(env(set)).linux).toMatchObject({
    accelerator: "tcg",
    guestsDir: "/run/guests",
  });
});

test("guests are real ones unless a lab says so", () => {
  const guests = (value: string) => readConfig(env({ RAILYARD_AGENT_GUESTS: value })).linux?.guests;
  expect(readConfig(env()).linux?.guests).toBe("qemu");
  expect(guests("pretend")).toBe("pretend");
  expect(() => guests("none")).toThrow(/RAILYARD_AGENT_GUESTS/);
});

test("what is said of the hardware must not contradict itself", () => {
  const file = join(dir, "fake.json");
  writeFileSync(file, JSON.stringify({ model: "mini-2gpu", serial: "S" }));
  const bad = (change: Record<string, string>) => () => readConfig(env(change));
  expect(bad({ RAILYARD_AGENT_HARDWARE: "fake" })).toThrow("RAILYARD_AGENT_FAKE: must be set");
  const both = { RAILYARD_AGENT_HARDWARE: "linux", RAILYARD_AGENT_FAKE: file };
  expect(bad(both)).toThrow("describes no real machine");
  const overlay = { RAILYARD_AGENT_OVERLAY: file, RAILYARD_AGENT_FAKE: file };
  expect(bad(overlay)).toThrow("is for real machines");
});

test("rails without sr-iov are read from their file", () => {
  const file = join(dir, "overlay.json");
  const rails = [{ uplink: "rail0", leaf: "leaf-a", speedGbps: 100 }];
  const read = (overlay: unknown) => {
    writeFileSync(file, JSON.stringify(overlay));
    return readConfig(env({ RAILYARD_AGENT_OVERLAY: file })).linux?.overlay;
  };
  expect(read({ serial: "L1", vfs: 8, rails })).toEqual({ serial: "L1", vfs: 8, rails });
  expect(() => read({ serial: "L1", vfs: 65, rails })).toThrow(/vfs/);
  expect(() => read({ serial: "L1", vfs: 8, rails: [] })).toThrow(/rails/);
  expect(() => read({ serial: "L1", vfs: 8, rails: [{ ...rails[0], speedGbps: "x" }] })).toThrow(
    /speedGbps/,
  );
});

test("an agent with the fabric role has its subnet manager's files, and no other agent has", () => {
  expect(readConfig(env()).fabric).toBeUndefined();
  expect(readConfig(env({ RAILYARD_AGENT_ROLE: "fabric" })).fabric).toEqual({
    partitionsFile: "/etc/opensm/partitions.conf",
    pidFile: "/run/opensm.pid",
  });
  const relative = { RAILYARD_AGENT_ROLE: "fabric", RAILYARD_AGENT_PARTITIONS_FILE: "p.conf" };
  expect(() => readConfig(env(relative))).toThrow("RAILYARD_AGENT_PARTITIONS_FILE");
});
