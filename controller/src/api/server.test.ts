// Tests of a listener over a real socket: who gets in, what is not built, errors, deadlines, logs,
// health, reflection and the end.

import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { systemClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import { type Log, silentLog } from "@railyard/lib/log";
import { ErrorInfo } from "@railyard/proto/gen/google/rpc/error_details";
import { Status } from "@railyard/proto/gen/google/rpc/status";
import {
  type HealthCheckResponse,
  HealthClient,
  HealthCheckResponse_ServingStatus as Serving,
} from "@railyard/proto/gen/grpc/health/v1/health";
import * as v1 from "@railyard/proto/gen/grpc/reflection/v1/reflection";
import * as v1alpha from "@railyard/proto/gen/grpc/reflection/v1alpha/reflection";
import {
  CreateClusterNetworkResponse,
  GetClusterNetworkResponse,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import { contractImage } from "@railyard/proto/image";
import { afterEach, expect, test } from "vitest";
import type { Mutation } from "../service/context.js";
import { DETAILS_KEY } from "./grpc-status.js";
import type { AnyHandlers, Rpc } from "./handler.js";
import { DISPATCH_HEALTH } from "./health.js";
import { Limits } from "./limits.js";
import { pageSigner } from "./paging.js";
import { type ApiOptions, ApiServer } from "./server.js";
import {
  ADMIN_SERVICES,
  type RpcDefinition,
  rpcsOf,
  serviceName,
  TENANT_SERVICES,
} from "./services.js";

const image = contractImage();
const limits = new Limits(image);
const ROLES = ["tenant-editor", "operator", "release-engineer", "auditor"] as const;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function listen(over: Partial<ApiOptions> = {}): Promise<string> {
  const server = new ApiServer({
    services: TENANT_SERVICES,
    handlers: {},
    limits,
    signPage: pageSigner(new Uint8Array(32)),
    clock: systemClock(),
    log: silentLog(),
    health: { store: async () => true, dispatch: () => false },
    reflect: image,
    tls: undefined,
    onTokenTouch: () => () => undefined,
    authenticate: async (secret) => {
      if (secret === "good") return { id: "tok-1", account: "acc-1" as AccountId, roles: ROLES };
      if (secret === "viewer") return { id: "tok-2", account: undefined, roles: ["tenant-viewer"] };
      throw refuse("unauthenticated", "the bearer token is not known");
    },
    ...over,
  });
  ends.push(() => server.stop());
  return `127.0.0.1:${await server.listen({ host: "127.0.0.1", port: 0 })}`;
}

function clientOf(address: string): grpc.Client {
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  ends.push(() => client.close());
  return client;
}

function rpc(name: string): RpcDefinition {
  return [...TENANT_SERVICES, ...ADMIN_SERVICES].flatMap(rpcsOf).find((r) => r.method === name)!;
}

interface Outcome {
  readonly code: grpc.status;
  readonly details: string;
  readonly reason: string;
  readonly response: unknown;
}

/** Calls any RPC, of whatever kind, with empty messages unless told, and says how it ended. */
function call(
  address: string,
  { definition }: RpcDefinition,
  over: { request?: object; token?: string; deadlineMs?: number } = {},
): Promise<Outcome> {
  const client = clientOf(address);
  const { path, requestSerialize, responseDeserialize } = definition;
  const args = [path, requestSerialize, responseDeserialize] as const;
  const metadata = new grpc.Metadata();
  if (over.token !== "") metadata.set("authorization", `Bearer ${over.token ?? "good"}`);
  const options = { deadline: Date.now() + (over.deadlineMs ?? 30_000) };
  const empty = definition.requestDeserialize(Buffer.alloc(0));
  const request = Object.assign(empty, over.request);
  return new Promise((resolve) => {
    const done = (err: grpc.ServiceError | null, response?: unknown) => {
      const [bytes] = err?.metadata?.get(DETAILS_KEY) ?? [];
      const info = bytes && Status.decode(bytes as Buffer).details[0];
      const reason = info ? ErrorInfo.decode(info.value).reason : "";
      resolve({ code: err?.code ?? 0, details: err?.details ?? "", reason, response });
    };
    const { requestStream, responseStream } = definition;
    if (!responseStream) {
      if (!requestStream) client.makeUnaryRequest(...args, request, metadata, options, done);
      else client.makeClientStreamRequest(...args, metadata, options, done).end(request);
      return;
    }
    const stream = requestStream
      ? client.makeBidiStreamRequest(...args, metadata, options)
      : client.makeServerStreamRequest(...args, request, metadata, options);
    stream.on("data", () => undefined).on("error", (e) => done(e as grpc.ServiceError));
  });
}

test("every RPC without a handler answers UNIMPLEMENTED with its reason, streams too", async () => {
  let seen = 0;
  for (const services of [TENANT_SERVICES, ADMIN_SERVICES]) {
    const address = await listen({ services });
    for (const one of services.flatMap(rpcsOf)) {
      const { code, reason } = await call(address, one);
      expect([one.method, code, reason]).toEqual([
        one.method,
        grpc.status.UNIMPLEMENTED,
        "NOT_IMPLEMENTED",
      ]);
      seen += 1;
    }
  }
  expect(seen).toBeGreaterThan(70);
});

test("the listeners serve every service of the contract, each one its own package", () => {
  const { file } = fromBinary(FileDescriptorSetSchema, image);
  const declared = (name: string) =>
    file
      .filter((f) => f.package === name)
      .flatMap((f) => f.service.map((s) => `${name}.${s.name}`));
  expect(TENANT_SERVICES.map(serviceName).sort()).toEqual(declared("railyard.v1").sort());
  expect(ADMIN_SERVICES.map(serviceName).sort()).toEqual(declared("railyard.admin.v1").sort());
});

test("RPC names are unique within a listener, as handlers are found by them", () => {
  for (const services of [TENANT_SERVICES, ADMIN_SERVICES]) {
    const names = services.flatMap(rpcsOf).map((r) => r.method);
    expect(new Set(names).size).toBe(names.length);
  }
});

test("a listener does not start with a handler that belongs to no RPC", async () => {
  await expect(listen({ handlers: { getNothing: async () => ({}) } })).rejects.toThrow(
    "getNothing",
  );
});

test("without a token nobody gets in, nor with an unknown one, nor without the role", async () => {
  const address = await listen();
  const get = rpc("GetClusterNetwork");
  const none = await call(address, get, { token: "" });
  const bad = await call(address, get, { token: "bad" });
  expect([none.code, bad.code]).toEqual([16, 16]);
  expect(none.reason).toBe("UNAUTHENTICATED");
  const viewer = await call(address, rpc("CreateClusterNetwork"), { token: "viewer" });
  expect([viewer.code, viewer.reason]).toEqual([7, "FORBIDDEN"]);
});

const GET: AnyHandlers = {
  getClusterNetwork: async (request: { id: string }, by: Rpc) => {
    if (request.id === "bug") throw new TypeError("wires crossed");
    if (request.id === "slow") await new Promise((r) => by.signal.addEventListener("abort", r));
    return GetClusterNetworkResponse.fromPartial({ clusterNetwork: { id: request.id } });
  },
};

test("a handler gets the decoded request, and its answer comes back", async () => {
  const address = await listen({ handlers: GET });
  const { response } = await call(address, rpc("GetClusterNetwork"), { request: { id: "cn-1" } });
  expect(response).toMatchObject({ clusterNetwork: { id: "cn-1" } });
});

test("bad fields are refused before the handler, and bugs say nothing", async () => {
  const address = await listen({ handlers: GET });
  const bad = await call(address, rpc("GetClusterNetwork"), { request: { id: "A B" } });
  expect([bad.code, bad.reason]).toEqual([3, "FIELD_INVALID"]);
  const broken = await call(address, rpc("GetClusterNetwork"), { request: { id: "bug" } });
  expect([broken.code, broken.details]).toEqual([13, "internal error"]);
});

test("bytes that are no message are the sender's fault", async () => {
  const address = await listen({ handlers: GET });
  const get = rpc("GetClusterNetwork");
  const broken = { ...get.definition, requestSerialize: () => Buffer.from([0xff]) };
  const { code } = await call(address, { ...get, definition: broken });
  expect(code).toBe(grpc.status.INVALID_ARGUMENT);
});

test("a call ends at its client's deadline, and the handler hears of it", async () => {
  const address = await listen({ handlers: GET });
  const request = { id: "slow" };
  const { code } = await call(address, rpc("GetClusterNetwork"), { request, deadlineMs: 100 });
  expect(code).toBe(grpc.status.DEADLINE_EXCEEDED);
});

test("one log line per call names who, what and how it ended, and no secrets", async () => {
  const lines: Record<string, unknown>[] = [];
  const keep = (line: unknown) => void lines.push(line as Record<string, unknown>);
  const log = { ...silentLog(), info: keep, error: keep } as unknown as Log;
  const handlers = { ...GET, createClusterNetwork: async () => ({}) };
  const address = await listen({ handlers, log });
  await call(address, rpc("GetClusterNetwork"), { request: { id: "cn-1" } });
  await call(address, rpc("GetClusterNetwork"), { request: { id: "bug" } });
  await call(address, rpc("GetClusterNetwork"), { token: "bad-secret" });
  await call(address, rpc("CreateClusterNetwork"), { request: { requestId: "x".repeat(9_999) } });
  const name = "railyard.v1.ClusterNetworkService/GetClusterNetwork";
  expect(lines).toMatchObject([
    { rpc: name, principal: "tok-1", code: "OK" },
    { rpc: name, principal: "tok-1", code: "INTERNAL", reason: "INTERNAL" },
    { rpc: name, code: "UNAUTHENTICATED", reason: "UNAUTHENTICATED" },
    { code: "INVALID_ARGUMENT", requestId: "x".repeat(36) },
  ]);
  expect(JSON.stringify(lines)).not.toContain("bad-secret");
});

test("the request hash ignores request_id and validate_only, and nothing else", async () => {
  const seen: Mutation<unknown, unknown>[] = [];
  const handlers: AnyHandlers = {
    createClusterNetwork: async (request: object, by: Rpc) => {
      const answer = () => CreateClusterNetworkResponse.fromPartial({});
      seen.push(by.mutation(request, CreateClusterNetworkResponse, answer) as never);
      return answer();
    },
  };
  const address = await listen({ handlers });
  const base = { profile: "hopper-1", zone: "us-east-3", vpcId: "vpc-1" };
  const requestId = "0d0a2f5e-43a6-4f0c-9d7f-0123456789AB";
  const another = "0d0a2f5e-43a6-4f0c-9d7f-0123456789ac";
  const changes = [{}, { requestId: another }, { validateOnly: true }, { name: "other" }];
  for (const over of [...changes, { requestId: "" }]) {
    const request = { ...base, requestId, ...over };
    expect(await call(address, rpc("CreateClusterNetwork"), { request })).toMatchObject({
      code: 0,
    });
  }
  const [plain, again, dry, other, once] = seen.map((m) => m.requestHash);
  // What cannot be repeated is compared with nothing.
  expect(once).toBe("");
  expect([again, dry]).toEqual([plain, plain]);
  expect(other).not.toBe(plain);
  const id = requestId.toLowerCase();
  expect(seen.map((m) => m.requestId)).toEqual([id, another, id, id, undefined]);
  expect(seen.map((m) => m.validateOnly)).toEqual([false, false, true, false, false]);
});

function reflect(address: string, version: typeof v1 | typeof v1alpha) {
  const client = new version.ServerReflectionClient(address, grpc.credentials.createInsecure());
  ends.push(() => client.close());
  const stream = client.serverReflectionInfo();
  return async (messageRequest: v1.ServerReflectionRequest["messageRequest"]) => {
    const got = new Promise((resolve, reject) => {
      stream.once("data", resolve).once("error", reject);
    });
    stream.write({ host: "", messageRequest });
    return ((await got) as v1.ServerReflectionResponse).messageResponse!;
  };
}

test.each([
  ["v1", v1],
  ["v1alpha", v1alpha],
])("reflection %s shows a listener's own services and their files", async (_, version) => {
  const ask = reflect(await listen(), version);
  const list = await ask({ $case: "listServices", value: "" });
  const names = (list.value as v1.ListServiceResponse).service.map((s) => s.name);
  expect(names).toContain("railyard.v1.InstanceService");
  expect(names).toContain("grpc.health.v1.Health");
  expect(names.filter((n) => n.includes("admin"))).toEqual([]);

  const found = await ask({ $case: "fileContainingSymbol", value: "railyard.v1.InstanceService" });
  const files = (found.value as v1.FileDescriptorResponse).fileDescriptorProto.map(
    (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
  );
  expect(files).toContain("railyard/v1/instance.proto");
  expect(files).toContain("google/protobuf/timestamp.proto");

  const admin = await ask({ $case: "fileByFilename", value: "railyard/admin/v1/node.proto" });
  expect(admin).toMatchObject({ $case: "errorResponse", value: { errorCode: 5 } });
  const none = await ask({ $case: "fileContainingSymbol", value: "railyard.v1.Nothing" });
  expect(none.$case).toBe("errorResponse");
});

test("a client that has no more questions gets its status", async () => {
  const address = await listen();
  const client = new v1.ServerReflectionClient(address, grpc.credentials.createInsecure());
  ends.push(() => client.close());
  const stream = client.serverReflectionInfo();
  const ended = new Promise<grpc.StatusObject>((resolve) => stream.on("status", resolve));
  let answers = 0;
  stream.on("data", () => {
    answers += 1;
  });
  for (let i = 0; i < 20; i++) {
    stream.write({ host: "", messageRequest: { $case: "listServices", value: "" } });
  }
  stream.end();
  expect((await ended).code).toBe(grpc.status.OK);
  expect(answers).toBe(20);
});

test("reflection on the admin listener shows the admin services", async () => {
  const ask = reflect(await listen({ services: ADMIN_SERVICES }), v1);
  const list = await ask({ $case: "listServices", value: "" });
  const names = (list.value as v1.ListServiceResponse).service.map((s) => s.name);
  expect(names).toContain("railyard.admin.v1.NodeService");
  expect(names).not.toContain("railyard.v1.InstanceService");
});

test("reflection can be switched off", async () => {
  const ask = reflect(await listen({ reflect: undefined }), v1);
  await expect(ask({ $case: "listServices", value: "" })).rejects.toMatchObject({
    code: grpc.status.UNIMPLEMENTED,
  });
});

function health(address: string): HealthClient {
  const client = new HealthClient(address, grpc.credentials.createInsecure());
  ends.push(() => client.close());
  return client;
}

test("health needs no token: the store decides, dispatch has a name of its own", async () => {
  const client = health(await listen());
  const check = (service: string) =>
    new Promise<unknown>((resolve) => {
      client.check({ service }, (err, answer) => resolve(err?.code ?? answer.status));
    });
  expect(await check("")).toBe(Serving.SERVING);
  expect(await check("railyard.v1.InstanceService")).toBe(Serving.SERVING);
  expect(await check(DISPATCH_HEALTH)).toBe(Serving.NOT_SERVING);
  expect(await check("nothing")).toBe(grpc.status.NOT_FOUND);
});

test("a listener stops in time with streams open", async () => {
  const server = new ApiServer({
    services: TENANT_SERVICES,
    handlers: GET,
    limits,
    signPage: pageSigner(new Uint8Array(32)),
    clock: systemClock(),
    log: silentLog(),
    health: { store: async () => true, dispatch: () => true },
    reflect: image,
    tls: undefined,
    authenticate: async () => ({ id: "tok-1", account: undefined, roles: ROLES }),
    onTokenTouch: () => () => undefined,
  });
  const address = `127.0.0.1:${await server.listen({ host: "127.0.0.1", port: 0 })}`;
  const watch = health(address).watch({ service: "" });
  watch.on("error", () => undefined);
  await new Promise<HealthCheckResponse>((resolve) => watch.once("data", resolve));
  const slow = call(address, rpc("GetClusterNetwork"), { request: { id: "slow" } });
  await reflect(address, v1)({ $case: "listServices", value: "" });
  const before = performance.now();
  await server.stop();
  expect((await slow).code).not.toBe(0);
  expect(performance.now() - before).toBeLessThan(20_000);
});
