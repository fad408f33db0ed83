// Tests of the controller's settings.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RailyardError } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { printableConfig, readConfig } from "./config.js";

const BASE = { RAILYARD_CONTROLLER_DATA_DIR: "/var/lib/railyard" };

function faults(env: Record<string, string>): string[] {
  try {
    readConfig({ ...BASE, ...env });
    return [];
  } catch (err) {
    if (!(err instanceof RailyardError)) throw err;
    return (err.parts.fields ?? []).map((f) => f.field);
  }
}

test("only the data directory must be given; everything else has a default on loopback", () => {
  expect(readConfig(BASE)).toMatchObject({
    listen: { host: "127.0.0.1", port: 7443 },
    adminListen: { host: "127.0.0.1", port: 7444 },
    broker: "127.0.0.1:4222",
    reflection: true,
  });
  expect(() => readConfig({})).toThrow("RAILYARD_CONTROLLER_DATA_DIR");
});

test("without TLS nothing but loopback is bound", () => {
  expect(
    faults({
      RAILYARD_CONTROLLER_LISTEN: "0.0.0.0:7443",
      RAILYARD_CONTROLLER_ADMIN_LISTEN: "10.0.0.1:7444",
    }),
  ).toEqual(["RAILYARD_CONTROLLER_LISTEN", "RAILYARD_CONTROLLER_ADMIN_LISTEN"]);
  expect(faults({ RAILYARD_CONTROLLER_LISTEN: "[::1]:0" })).toEqual([]);
  expect(faults({ RAILYARD_CONTROLLER_LISTEN: "localhost:0" })).toEqual([]);
});

test("TLS takes a certificate and a key, both readable", () => {
  const folder = mkdtempSync(join(tmpdir(), "railyard-config-"));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(cert, "cert");
  writeFileSync(key, "very-secret");
  const env = {
    RAILYARD_CONTROLLER_LISTEN: "0.0.0.0:7443",
    RAILYARD_CONTROLLER_TLS_CERT: cert,
    RAILYARD_CONTROLLER_TLS_KEY: key,
  };
  const config = readConfig({ ...BASE, ...env });
  expect(config.tls?.key.toString()).toBe("very-secret");
  expect(JSON.stringify(printableConfig(config))).not.toContain("very-secret");
  expect(faults({ RAILYARD_CONTROLLER_TLS_CERT: cert })).toEqual(["RAILYARD_CONTROLLER_TLS_CERT"]);
  expect(faults({ ...env, RAILYARD_CONTROLLER_TLS_KEY: join(folder, "none") })).toContain(
    "RAILYARD_CONTROLLER_TLS_KEY",
  );
});

test("a lease outlives two heartbeats", () => {
  const env = { RAILYARD_CONTROLLER_HEARTBEAT_MS: "500", RAILYARD_CONTROLLER_LEASE_MS: "1000" };
  expect(faults(env)).toEqual(["RAILYARD_CONTROLLER_LEASE_MS"]);
});

test("unknown settings and fail-points are refused", () => {
  expect(
    faults({ RAILYARD_CONTROLLER_PORT: "1", RAILYARD_CONTROLLER_FAILPOINT: "somewhere" }),
  ).toEqual(["RAILYARD_CONTROLLER_PORT", "RAILYARD_CONTROLLER_FAILPOINT"]);
});
