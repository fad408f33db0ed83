// The files of an installation: units are as closed as promised, and the broker's sample
// configuration is one that nats-server accepts and the controller would write. Starts nothing.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { guestPlace } from "@railyard/agent/hardware/linux/qemu/place";
import { renderUnit } from "@railyard/agent/hardware/linux/qemu/sandbox";
import { renderBrokerUsers } from "@railyard/controller/service/broker-users";
import { controllerPermissions, nodePermissions } from "@railyard/proto/subjects";
import { describe, expect, test } from "vitest";
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

const GUEST_MOST = 20;
/** With everything that a guest can be given. */
const GUEST_NEEDS = {
  place: guestPlace("/var/lib/railyard-agent/guests", "ins-1"),
  devices: ["/dev/kvm", "/dev/net/tun", "/dev/vfio/vfio", "/dev/vfio/12"],
  volumes: ["/var/lib/railyard-agent/volumes/vol-1.qcow2"],
  privatePaths: ["/var/lib/railyard-agent", "/etc/railyard/credentials.json"],
  images: ["/var/lib/railyard-agent/images/one.img"],
};
const GUEST_USERS = [undefined, { name: "railyard-guest", uid: 990, gid: 990 }];

function canAnalyze(): boolean {
  if (existsSync(ANALYZE)) return true;
  console.info(`units are not judged: ${ANALYZE} is missing: apt-get install systemd`);
  return false;
}

/** Fails when a unit exposes more than `most` tenths of what one can expose. */
function judge(unit: string, most: number): void {
  const args = ["security", "--offline=true", "--no-pager", `--threshold=${most}`, unit];
  expect(execFileSync(ANALYZE, args, { encoding: "utf8" })).toContain("Overall exposure level");
}

describe.skipIf(!canAnalyze())("what units expose", () => {
  test.each(UNITS)("%s exposes no more than %i tenths of what a unit can expose", (unit, most) => {
    judge(join(DEPLOY, "systemd", unit), most);
  });

  test.each(GUEST_USERS)(`a guest exposes no more than ${GUEST_MOST} tenths (%#)`, (user) => {
    const folder = mkdtempSync(join(tmpdir(), "railyard-guest-unit-"));
    try {
      const unit = join(folder, "railyard-guest-ins-1.service");
      writeFileSync(unit, renderUnit({ ...GUEST_NEEDS, user }, "/usr/bin/qemu-system-x86_64"));
      judge(unit, GUEST_MOST);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test.each(UNITS)("%s is started again however often it fails", (name) => {
  const unit = readFileSync(join(DEPLOY, "systemd", name), "utf8");
  expect(unit).toMatch(/^Restart=always$/m);
  expect(unit).toMatch(/^StartLimitIntervalSec=0$/m);
});

test("the agent's unit is let at every kind of device node that the agent opens", () => {
  const unit = readFileSync(join(DEPLOY, "systemd/railyard-agent.service"), "utf8");
  const allowed = [...unit.matchAll(/^DeviceAllow=(\S+)/gm)].map(([, node]) => node);
  // TAPs, consoles, groups that are looked at before a function is taken back, the subnet manager.
  const opened = ["/dev/net/tun", "char-pts", "/dev/ptmx", "char-vfio", "char-infiniband_mad"];
  expect(allowed.sort()).toEqual(opened.sort());
});

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
