// railctl against a real controller: documents in pieces both ways, errors that name a place in the
// file, and TLS.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@railyard/cli/program";
import { readConfig } from "@railyard/controller/config";
import { type Controller, createController } from "@railyard/controller/controller";
import { systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { systemRng } from "@railyard/lib/rng";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeFolder } from "./scratch.js";

const EXAMPLE = new URL("../deploy/mzone.example.yaml", import.meta.url).pathname;
const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
if (!OPENSSL) console.warn("no openssl here: the tests of TLS are skipped");

let dir: string;
let controller: Controller | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-railctl-"));
});

afterEach(async () => {
  await controller?.stop();
  controller = undefined;
  await removeFolder(dir);
});

function settings(env: Record<string, string>) {
  return {
    RAILYARD_CONTROLLER_DATA_DIR: join(dir, "data"),
    RAILYARD_CONTROLLER_LISTEN: "127.0.0.1:0",
    RAILYARD_CONTROLLER_ADMIN_LISTEN: "127.0.0.1:0",
    RAILYARD_CONTROLLER_BROKER: "127.0.0.1:1",
    ...env,
  };
}

async function start(env: Record<string, string> = {}): Promise<void> {
  controller = await createController(readConfig(settings(env)), { log: silentLog() });
  await controller.start();
}

/** Runs railctl as the first operator; `host` as its certificate is to name it. */
async function railctl(args: readonly string[], host = "127.0.0.1") {
  const out: string[] = [];
  const err: string[] = [];
  const admin = `${host}:${controller?.ports.admin}`;
  const given = ["--admin-server", admin, "--token-file", join(dir, "data", "operator.token")];
  const code = await run([...given, ...args], {
    stdout: { write: (text) => void out.push(text), tty: false },
    stderr: { write: (text) => void err.push(text), tty: false },
    environment: () => {
      return { server: admin, adminServer: admin, token: undefined, color: false };
    },
    clock: systemClock(),
    rng: systemRng(),
  });
  return { code, out: out.join(""), err: err.join("") };
}

function copy(name: string, change: (text: string) => string): string {
  const file = join(dir, name);
  writeFileSync(file, change(readFileSync(EXAMPLE, "utf8")));
  return file;
}

test("a document is validated before and after it is applied, and changes nothing", async () => {
  await start();
  const before = await railctl(["mzone", "validate", "-f", EXAMPLE]);
  expect(before).toMatchObject({ code: 0, err: "" });
  expect(before.out).toMatch(/is valid: \d+ created/);
  expect((await railctl(["mzone", "export"])).err).toContain("not found");
  expect((await railctl(["mzone", "apply", "-f", EXAMPLE])).code).toBe(0);
  const after = await railctl(["mzone", "validate", "-f", EXAMPLE]);
  expect(after.out).toContain("is valid: nothing to change");
});

test("what is exported is what was applied, and applying it changes nothing", async () => {
  await start();
  await railctl(["mzone", "apply", "-f", EXAMPLE]);
  const { code, out } = await railctl(["-o", "yaml", "mzone", "export"]);
  expect(code).toBe(0);
  const file = join(dir, "exported.yaml");
  writeFileSync(file, out);
  const again = await railctl(["mzone", "validate", "-f", file]);
  expect(again.out).toContain("nothing to change");
});

test("every error in a document names its line and column", async () => {
  await start();
  const file = copy("broken.yaml", (text) => text.replace("cabling: standard", "cabling: crossed"));
  const lines = readFileSync(file, "utf8").split("\n");
  const row = lines.findIndex((line) => line.includes("cabling: crossed"));
  const column = lines[row]?.indexOf("crossed") ?? -1;
  const { code, err } = await railctl(["mzone", "validate", "-f", file]);
  expect(code).not.toBe(0);
  expect(err).toContain("MZONE_INVALID");
  expect(err).toContain(`${file}:${row + 1}:${column + 1}: zones[0].servers[0].cabling`);
});

test("a document of more than 16 MiB is refused", async () => {
  await start();
  const file = copy("large.yaml", (text) => `${text}\nextra: ${"x".repeat(16 * 1024 * 1024)}\n`);
  const { code, err } = await railctl(["mzone", "validate", "-f", file]);
  expect(code).not.toBe(0);
  expect(err).toContain("must be at most 16777216 bytes in all");
});

function certificate(): { cert: string; key: string } {
  const cert = join(dir, "cert.pem");
  const key = join(dir, "key.pem");
  const what = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const who = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-nodes", "-days", "2", "-keyout", key, "-out", cert];
  execFileSync("openssl", [...what, ...who, ...files], { stdio: "ignore" });
  return { cert, key };
}

test.skipIf(!OPENSSL)("with TLS, railctl is served when it trusts the certificate", async () => {
  const { cert, key } = certificate();
  await start({ RAILYARD_CONTROLLER_TLS_CERT: cert, RAILYARD_CONTROLLER_TLS_KEY: key });
  const served = await railctl(["--ca", cert, "token", "list"]);
  expect(served).toMatchObject({ code: 0, err: "" });
  expect(served.out).toContain("first-operator");
  expect((await railctl(["--ca", cert, "token", "list"], "localhost")).code).toBe(0);
});

test.skipIf(!OPENSSL)("with TLS, plain text and strange certificates get nowhere", async () => {
  const { cert, key } = certificate();
  await start({ RAILYARD_CONTROLLER_TLS_CERT: cert, RAILYARD_CONTROLLER_TLS_KEY: key });
  const plain = await railctl(["--timeout", "2s", "token", "list"]);
  expect(plain.code).not.toBe(0);
  expect(plain.out).toBe("");
  certificate();
  const strange = await railctl(["--timeout", "2s", "--ca", cert, "token", "list"]);
  expect(strange.code).not.toBe(0);
  expect(strange.out).toBe("");
});

test.skipIf(!OPENSSL)("beyond loopback a listener needs TLS, and says which setting", () => {
  const wide = { RAILYARD_CONTROLLER_ADMIN_LISTEN: "0.0.0.0:0" };
  expect(() => readConfig(settings(wide))).toThrow(/RAILYARD_CONTROLLER_ADMIN_LISTEN: without TLS/);
  const { cert, key } = certificate();
  const tls = { RAILYARD_CONTROLLER_TLS_CERT: cert, RAILYARD_CONTROLLER_TLS_KEY: key };
  expect(readConfig(settings({ ...wide, ...tls })).tls).toBeDefined();
});
