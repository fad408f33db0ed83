// The broker configuration for users, read back by the real broker where it is installed.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { controllerPermissions, nodePermissions } from "@railyard/proto/subjects";
import { expect, test } from "vitest";
import { renderBrokerUsers } from "./broker-users.js";

const hasServer = spawnSync("nats-server", ["--version"]).status === 0;

test("every user has its own key, its own subjects, and may answer what it received", () => {
  const [controller, node] = [createBusIdentity(), createBusIdentity()];
  const text = renderBrokerUsers([
    { publicKey: controller.publicKey, permissions: controllerPermissions() },
    { publicKey: node.publicKey, permissions: nodePermissions("node-1") },
  ]);
  expect(text).toContain(`nkey: ${node.publicKey}`);
  expect(text).toContain('publish: { allow: ["railyard.v1.node.node-1.up.>"] }');
  expect(text.match(/allow_responses/g)).toHaveLength(2);
  expect(text).not.toContain(node.seed);
});

test.runIf(hasServer)("the broker accepts the rendered configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), "railyard-broker-"));
  const file = join(folder, "nats.conf");
  const { publicKey } = createBusIdentity();
  writeFileSync(file, renderBrokerUsers([{ publicKey, permissions: nodePermissions("node-1") }]));
  expect(() => execFileSync("nats-server", ["-t", "-c", file], { stdio: "pipe" })).not.toThrow();
  rmSync(folder, { recursive: true });
});
