// The files of an installation: units are as closed as promised, and the broker's sample
// configuration is one that nats-server accepts and the controller would write. Starts nothing.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { renderBrokerUsers } from "@railyard/controller/service/broker-users";
import { controllerPermissions, nodePermissions } from "@railyard/proto/subjects";
import { expect, test } from "vitest";
import { findNatsServer } from "../deploy/nats-server.mjs";

const DEPLOY = resolve(import.meta.dirname, "../deploy");
const ANALYZE = "/usr/bin/systemd-analyze";
const SAMPLE = join(DEPLOY, "nats/users.sample.conf");
const SAMPLE_USERS = [
  {
    publicKey: "UDIUYTOCS77ZUXZCPXE2B2W6EH5PHIADJDP2IH45T3RFAWLHHSSYUVB4",
    permissions: controllerPermissions(),
  },
  {
    publicKey: "UDEKR5B4BV642MUW2T4L4HS337OXYTRLY4RRSBWQ37G3532MBMRTPS24",
    permissions: nodePermissions("node-0000000000000000000001"),
  },
];

// Exposure as systemd-analyze counts it, in tenths: 0 is closed, 100 is open.
const UNITS = [
  ["railyard-controller.service", 15],
  ["railyard-broker.service", 15],
  ["railyard-agent.service", 35],
] as const;

test.skipIf(!existsSync(ANALYZE)).each(UNITS)(
  "%s exposes no more than %i tenths of what a unit can expose",
  (unit, most) => {
    const file = join(DEPLOY, "systemd", unit);
    const args = ["security", "--offline=true", "--no-pager", `--threshold=${most}`, file];
    expect(execFileSync(ANALYZE, args, { encoding: "utf8" })).toContain("Overall exposure level");
  },
);

test("the sample of the broker's users is what the controller writes", () => {
  const rendered = renderBrokerUsers(SAMPLE_USERS);
  if (process.env.RAILYARD_UPDATE_GOLDEN === "1") writeFileSync(SAMPLE, rendered);
  expect(readFileSync(SAMPLE, "utf8")).toBe(rendered);
});

test("nats-server accepts the sample configuration", () => {
  const program = findNatsServer();
  if (!program) throw new Error("nats-server is missing: run node deploy/setup.mjs");
  const folder = mkdtempSync(join(tmpdir(), "railyard-installation-"));
  try {
    const sample = readFileSync(join(DEPLOY, "nats/nats.conf"), "utf8");
    const config = sample.replace(/^include .*$/m, 'include "users.conf"');
    expect(config).not.toBe(sample);
    writeFileSync(join(folder, "nats.conf"), config);
    writeFileSync(join(folder, "users.conf"), readFileSync(SAMPLE));
    execFileSync(program, ["-t", "--config", join(folder, "nats.conf")], { stdio: "pipe" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
