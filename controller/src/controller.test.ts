// Tests of the whole controller in this process: first start, restart, life without a broker, the
// end.
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { Bus } from "@railyard/lib/bus/bus";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { ManualClock, settle, systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import {
  HealthClient,
  HealthCheckResponse_ServingStatus as Serving,
} from "@railyard/proto/gen/grpc/health/v1/health";
import { ServerReflectionClient } from "@railyard/proto/gen/grpc/reflection/v1/reflection";
import { ApplyMzoneRequest, MzoneServiceClient } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  CreateJoinTokenRequest,
  NodeServiceClient,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import { Role, TokenServiceClient } from "@railyard/proto/gen/railyard/admin/v1/token";
import * as profile from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import { controllerPermissions } from "@railyard/proto/subjects";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { readConfig } from "./config.js";
import { type Controller, type ControllerOverrides, createController } from "./controller.js";
import type { Store } from "./store/contract.js";
import { openSqlite } from "./store/sqlite.js";

let folder: string;
let dataDir: string;
const ends: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "railyard-controller-"));
  dataDir = join(folder, "data");
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

async function start(
  bus?: Bus,
  env: Record<string, string> = {},
  over: ControllerOverrides = {},
): Promise<Controller> {
  const config = readConfig({
    RAILYARD_CONTROLLER_DATA_DIR: dataDir,
    RAILYARD_CONTROLLER_LISTEN: "127.0.0.1:0",
    RAILYARD_CONTROLLER_ADMIN_LISTEN: "127.0.0.1:0",
    RAILYARD_CONTROLLER_BROKER: "127.0.0.1:1",
    ...env,
  });
  const given = { log: silentLog(), ...(bus && { bus }), ...over };
  const controller = await createController(config, given);
  ends.push(() => controller.stop());
  await controller.start();
  return controller;
}

const memoryBus = () =>
  new MemoryBroker(systemClock()).connect("controller", controllerPermissions());

function file(name: string): string {
  return readFileSync(join(dataDir, name), "utf8").trim();
}

const insecure = grpc.credentials.createInsecure();

function ask<Answer>(
  call: (done: (err: grpc.ServiceError | null, answer: Answer) => void) => unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    call((err, answer) => (err ? reject(err) : resolve(answer)));
  });
}

function bearer(secret: string): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${secret}`);
  return metadata;
}

function tokens(): TokenServiceClient {
  const client = new TokenServiceClient(JSON.parse(file("endpoints.json")).admin, insecure);
  ends.push(() => client.close());
  return client;
}

function tenantToken(requestId = "") {
  const by = bearer(file("operator.token"));
  const roles = [Role.ROLE_TENANT_EDITOR];
  const request = { account: "acme", roles, name: "", requestId, validateOnly: false };
  return ask<{ secret: string }>((done) => tokens().createToken(request, by, done));
}

function listProfiles(secret: string) {
  const address = JSON.parse(file("endpoints.json")).tenant;
  const client = new profile.ClusterNetworkProfileServiceClient(address, insecure);
  ends.push(() => client.close());
  const request = profile.ListClusterNetworkProfilesRequest.fromPartial({});
  return ask((done) => client.listClusterNetworkProfiles(request, bearer(secret), done));
}

function health(address: string, service: string) {
  const client = new HealthClient(address, insecure);
  ends.push(() => client.close());
  return ask<{ status: Serving }>((done) => client.check({ service }, done));
}

test("the first operator's token makes a tenant's, and each has its own listener", async () => {
  await start();
  const { secret } = await tenantToken();
  expect(await listProfiles(secret)).toMatchObject({ clusterNetworkProfiles: [] });
  await expect(listProfiles(file("operator.token"))).rejects.toMatchObject({
    code: grpc.status.PERMISSION_DENIED,
  });
  await expect(
    ask((done) =>
      tokens().listTokens({ pageSize: 0, pageToken: "", account: "" }, bearer(secret), done),
    ),
  ).rejects.toMatchObject({ code: grpc.status.PERMISSION_DENIED });
});

test("after a restart tokens hold, and a repeated request id gives the same secret", async () => {
  const requestId = "7a1bb7ae-5d4e-4f4c-8a55-0a5b2f3f9a01";
  const first = await start();
  const { secret } = await tenantToken(requestId);
  await first.stop();
  expect(existsSync(join(dataDir, "endpoints.json"))).toBe(false);
  const second = await start();
  expect(second.publicKey).toBe(first.publicKey);
  expect((await tenantToken(requestId)).secret).toBe(secret);
  await listProfiles(secret);
  const kept = readFileSync(join(dataDir, "railyard.db"), "latin1");
  expect(kept).not.toContain(secret);
});

test("without a broker the API serves, and only the way to the agents is down", async () => {
  const controller = await start();
  const address = `127.0.0.1:${controller.ports.tenant}`;
  expect((await health(address, "")).status).toBe(Serving.SERVING);
  expect((await health(address, "railyard.dispatch")).status).toBe(Serving.NOT_SERVING);
});

test("with a broker dispatch serves", async () => {
  const controller = await start(memoryBus());
  const admin = `127.0.0.1:${controller.ports.admin}`;
  expect((await health(admin, "railyard.dispatch")).status).toBe(Serving.SERVING);
});

test("the broker's users are written before the broker is there", async () => {
  await start();
  expect(file("broker-users.conf")).toContain("railyard.v1.node.*.up.>");
});

/** A store whose reads can be held up. */
async function slowStore(): Promise<{ store: Store; hold: () => void; held: () => boolean }> {
  const clock = systemClock();
  const path = ":memory:";
  const made = await openSqlite({ path, clock, log: silentLog(), onFatal: () => undefined });
  const state = { holds: false, held: false };
  const read: Store["read"] = async (fn) => {
    if (!state.holds) return made.read(fn);
    state.held = true;
    return new Promise(() => undefined);
  };
  const store: Store = {
    read,
    write: (cause, fn) => made.write(cause, fn),
    shownInstance: (account, id) => made.shownInstance(account, id),
    revision: () => made.revision(),
    onCommit: (fn) => made.onCommit(fn),
    onTouch: (fn) => made.onTouch(fn),
    close: () => made.close(),
  };
  const hold = () => {
    state.holds = true;
  };
  return { store, hold, held: () => state.held };
}

test("it stops within five seconds with streams and a call open, no broker, twice", async () => {
  const { store, hold, held } = await slowStore();
  const controller = await start(undefined, {}, { store });
  const address = `127.0.0.1:${controller.ports.tenant}`;
  const client = new HealthClient(address, insecure);
  ends.push(() => client.close());
  const watch = client.watch({ service: "" }).on("error", () => undefined);
  await new Promise((resolve) => watch.once("data", resolve));
  const reflection = new ServerReflectionClient(address, insecure);
  ends.push(() => reflection.close());
  const asked = reflection.serverReflectionInfo().on("error", () => undefined);
  const answered = new Promise((resolve) => asked.once("data", resolve));
  asked.write({ host: "", messageRequest: { $case: "listServices", value: "" } });
  await answered;
  hold();
  const slow = listProfiles(file("operator.token")).catch((err: grpc.ServiceError) => err);
  while (!held()) await settle();
  const before = performance.now();
  await controller.stop();
  await controller.stop();
  expect(performance.now() - before).toBeLessThan(20_000);
  expect(await slow).toMatchObject({ code: expect.any(Number) });
});

test("who enrols is among the broker's users at once, without waiting for the period", async () => {
  // This clock stands still: no period ends.
  const clock = new ManualClock(Date.now());
  await start(undefined, {}, { clock });
  ends.push(async () => {
    await clock.advance(10_000);
  });
  const admin = JSON.parse(file("endpoints.json")).admin;
  const by = bearer(file("operator.token"));
  const mzones = new MzoneServiceClient(admin, insecure);
  const nodes = new NodeServiceClient(admin, insecure);
  ends.push(() => mzones.close());
  ends.push(() => nodes.close());
  const example = new URL("../../deploy/mzone.example.yaml", import.meta.url);
  const value = Buffer.from(JSON.stringify(parse(readFileSync(example, "utf8"))));
  const document = ApplyMzoneRequest.fromPartial({ source: { $case: "documentJson", value } });
  await ask((done) => mzones.applyMzone(document, by, done));
  const { publicKey } = createBusIdentity();
  const wish = CreateJoinTokenRequest.fromPartial({ nodeName: "wdc07-a-r01-s01", publicKey });
  await ask((done) => nodes.createJoinToken(wish, by, done));
  await clock.advance(1_000);
  expect(file("broker-users.conf")).toContain(publicKey);
});

test("a taken port is refused and says which, and a second controller stays out", async () => {
  const first = await start();
  const taken = { RAILYARD_CONTROLLER_ADMIN_LISTEN: `127.0.0.1:${first.ports.admin}` };
  await expect(start(undefined, taken)).rejects.toMatchObject({ code: "precondition" });
  await first.stop();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  ends.push(() => other.close());
  const { port } = other.address() as { port: number };
  const busy = { RAILYARD_CONTROLLER_LISTEN: `127.0.0.1:${port}` };
  await expect(start(undefined, busy)).rejects.toMatchObject({ code: "unavailable" });
});
