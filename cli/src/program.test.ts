// railctl against a small server of its own: what is asked, what is printed, what is tried again.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { systemClock } from "@railyard/lib/clock";
import { seededRng } from "@railyard/lib/rng";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
} from "@railyard/proto/gen/google/rpc/error_details";
import { Status } from "@railyard/proto/gen/google/rpc/status";
import {
  ApplyMzoneResponse,
  MzoneServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  CreateJoinTokenResponse,
  NodeServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  ClusterNetwork,
  ClusterNetworkServiceService,
  type CreateClusterNetworkRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import { Instance, InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import {
  type WatchObjectsResponse,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "./program.js";

type Handler = (request: any, metadata: Metadata) => unknown;

const NETWORK_ID = `cn-${"a".repeat(24)}`;
const INSTANCE_ID = `ins-${"b".repeat(24)}`;
const { INSTANCE_STATUS_STARTING: STARTING, INSTANCE_STATUS_RUNNING: RUNNING } = InstanceStatus;

let server: Server;
let address: string;
let directory: string;
let handlers: Record<string, Handler>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "railctl-"));
  handlers = {};
  server = new Server();
  for (const service of [
    MzoneServiceService,
    NodeServiceService,
    ClusterNetworkServiceService,
    InstanceServiceService,
  ]) {
    const unary = Object.entries(service).filter(([, it]) => !it.requestStream);
    const calls = unary.map(([name]) => [name, answerOf(name)] as const);
    server.addService(service as any, Object.fromEntries(calls) as any);
  }
  server.addService(WatchServiceService, { watchObjects: showBookmarks });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  address = `127.0.0.1:${port}`;
});

afterEach(() => {
  server.forceShutdown();
  rmSync(directory, { recursive: true });
});

/** Nothing changes, and the reader is told so again and again. */
function showBookmarks(call: ServerWritableStream<unknown, WatchObjectsResponse>): void {
  const message = { $case: "bookmark", value: { revision: 1n } } as const;
  const timer = setInterval(() => call.write({ message }), 20);
  call.on("cancelled", () => clearInterval(timer));
}

function answerOf(name: string) {
  return (call: ServerUnaryCall<any, any>, answer: sendUnaryData<any>) => {
    try {
      const handler = handlers[name];
      if (!handler) throw failure(status.UNIMPLEMENTED, "not here");
      answer(null, handler(call.request, call.metadata));
    } catch (error) {
      answer(error as ServiceError, null);
    }
  };
}

interface Details {
  readonly reason?: string;
  readonly metadata?: Record<string, string>;
  readonly fields?: readonly { field: string; description: string }[];
  readonly holders?: readonly string[];
}

function failure(code: status, message: string, details: Details = {}): ServiceError {
  const { reason, fields, holders } = details;
  const any = (name: string, value: Uint8Array) => ({
    typeUrl: `type.googleapis.com/google.rpc.${name}`,
    value: Buffer.from(value),
  });
  const info = { reason: reason ?? "", metadata: new Map(Object.entries(details.metadata ?? {})) };
  const bad = fields && BadRequest.fromPartial({ fieldViolations: [...fields] });
  const packed = [
    ...(reason ? [any("ErrorInfo", ErrorInfo.encode(ErrorInfo.fromPartial(info)).finish())] : []),
    ...(bad ? [any("BadRequest", BadRequest.encode(bad).finish())] : []),
    ...(holders
      ? [
          any(
            "PreconditionFailure",
            PreconditionFailure.encode({
              violations: holders.map((subject) => ({ type: "", subject, description: "" })),
            }).finish(),
          ),
        ]
      : []),
  ];
  const metadata = new Metadata();
  const bytes = Status.encode({ code, message, details: packed }).finish();
  if (packed.length > 0) metadata.set("grpc-status-details-bin", Buffer.from(bytes));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

async function railctl(...args: string[]) {
  const said = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof said) => ({
    tty: false,
    write: (text: string) => {
      said[name] += text;
    },
  });
  const environment = { server: address, adminServer: address, token: "secret.1", color: true };
  const code = await run(args, {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    environment: () => environment,
    clock: systemClock(),
    rng: seededRng("railctl"),
  });
  return { code, ...said };
}

function network(name: string, id = NETWORK_ID) {
  return ClusterNetwork.fromPartial({ id, name, zone: "z1", profile: { name: "hopper-1" } });
}

test("an unavailable server is asked again with the same request id and token", async () => {
  const asked: CreateClusterNetworkRequest[] = [];
  const tokens: unknown[] = [];
  handlers.createClusterNetwork = (request, metadata) => {
    asked.push(request);
    tokens.push(metadata.get("authorization")[0]);
    if (asked.length < 3) throw failure(status.UNAVAILABLE, "starting", { reason: "UNAVAILABLE" });
    return { clusterNetwork: network(request.name) };
  };
  const flags = [
    "--profile",
    "hopper-1",
    "--vpc",
    "vpc-1",
    "--zone",
    "z1",
    "--prefix",
    "10.0.0.0/9",
  ];
  const answer = await railctl("network", "create", "--name", "train", ...flags);
  expect(answer.code).toBe(0);
  expect(answer.stdout).toContain(`ID               ${NETWORK_ID}`);
  expect(asked).toHaveLength(3);
  expect(asked[0]?.requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/);
  expect(asked[2]).toEqual(asked[0]);
  expect(tokens[0]).toBe("Bearer secret.1");
  expect(answer.stdout + answer.stderr).not.toContain("secret.1");
});

test("a refusal is printed with every field, and nothing is asked again", async () => {
  let asked = 0;
  handlers.createClusterNetwork = () => {
    asked++;
    throw failure(status.INVALID_ARGUMENT, "zone: x; profile: y; name: z", {
      reason: "FIELD_INVALID",
      fields: [
        { field: "zone", description: "is unknown" },
        { field: "profile", description: "is unknown" },
        { field: "name", description: "is reserved" },
      ],
    });
  };
  const flags = ["--profile", "p", "--vpc", "v", "--zone", "z"];
  const { code, stdout, stderr } = await railctl("network", "create", ...flags);
  expect({ code, stdout, asked }).toEqual({ code: 2, stdout: "", asked: 1 });
  expect(stderr).toBe(
    "railctl: FIELD_INVALID: 3 problems\n" +
      "  zone: is unknown\n  profile: is unknown\n  name: is reserved\n",
  );
});

test("a name is looked up, what looks made by the server is taken as an id", async () => {
  handlers.listClusterNetworks = ({ name }) => ({
    clusterNetworks: name === "train" ? [network("train")] : [],
    nextPageToken: "",
    totalSize: 0n,
  });
  handlers.getClusterNetwork = ({ id }) => {
    if (id !== NETWORK_ID) throw failure(status.NOT_FOUND, "no", { reason: "NOT_FOUND" });
    return { clusterNetwork: network("train") };
  };
  for (const text of ["train", NETWORK_ID]) {
    const { code, stdout } = await railctl("network", "get", text, "-o", "json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ id: NETWORK_ID, name: "train" });
  }
  const missing = await railctl("network", "get", "other");
  expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining("other not found") });
});

test("a list is read to its last page", async () => {
  handlers.listClusterNetworks = ({ pageToken }) => ({
    clusterNetworks: [network(pageToken === "" ? "one" : "two")],
    nextPageToken: pageToken === "" ? "more" : "",
    totalSize: 2n,
  });
  const { stdout } = await railctl("network", "list");
  expect(stdout.split("\n").map((line) => line.split(" ")[0])).toEqual(["NAME", "one", "two", ""]);
});

test("a delete whose first answer was lost counts as done; holders are named", async () => {
  let asked = 0;
  handlers.getClusterNetwork = () => ({ clusterNetwork: network("train") });
  handlers.deleteClusterNetwork = () => {
    if (++asked === 1) throw failure(status.UNAVAILABLE, "gone away");
    throw failure(status.NOT_FOUND, "no", { reason: "NOT_FOUND" });
  };
  expect(await railctl("network", "delete", NETWORK_ID)).toMatchObject({
    code: 0,
    stdout: `cluster network ${NETWORK_ID} deleted\n`,
  });
  handlers.deleteClusterNetwork = () => {
    throw failure(status.FAILED_PRECONDITION, "an instance resides in it", {
      reason: "CLUSTER_NETWORK_IN_USE_INSTANCE_EXISTS",
      holders: [`instance/${INSTANCE_ID}`],
    });
  };
  const refused = await railctl("network", "delete", NETWORK_ID);
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain(`  held by instance ${INSTANCE_ID}`);
});

test("fields that the server refuses are placed in the file", async () => {
  const file = join(directory, "mzone.yaml");
  writeFileSync(file, "kind: Mzone\nzones:\n  - servers:\n      - {name: a, serial: ''}\n");
  handlers.applyMzone = ({ source }) => {
    expect(JSON.parse(source.value.toString())).toMatchObject({ kind: "Mzone" });
    throw failure(status.INVALID_ARGUMENT, "bad", {
      reason: "MZONE_INVALID",
      fields: [
        { field: "zones[0].servers[0].serial", description: "must not be empty" },
        { field: "metadata.name", description: "is required" },
      ],
    });
  };
  const refused = await railctl("mzone", "apply", "-f", file);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(
    `\n${file}:4:27: zones[0].servers[0].serial: must not be empty\n`,
  );
  expect(refused.stderr).toContain(`\n${file}:1:1: metadata.name: is required\n`);
  writeFileSync(file, "kind: [Mzone\nzones: ]\n");
  const malformed = await railctl("mzone", "apply", "-f", file);
  expect(malformed.code).toBe(2);
  expect(malformed.stderr).toMatch(/mzone\.yaml:2:\d+: /);
});

test("what was applied is listed and counted", async () => {
  const file = join(directory, "mzone.yaml");
  writeFileSync(file, "kind: Mzone\n");
  handlers.applyMzone = () =>
    ApplyMzoneResponse.fromPartial({
      mzoneName: "us-east",
      mzoneGeneration: 7n,
      summary: { createdCount: 2, unchangedCount: 1 },
      changes: [{ kind: 11, name: "us-east-3/s01", action: 1 }],
    });
  const { stdout } = await railctl("mzone", "apply", "-f", file);
  expect(stdout).toBe(
    "ACTION   KIND     NAME\ncreate   server   us-east-3/s01\n… and 1 more\n" +
      "mzone us-east generation 7 applied: 2 created, 1 unchanged\n",
  );
});

test("credentials go into a 0600 file, and never over one that is there", async () => {
  const out = join(directory, "node.json");
  let publicKey = "";
  handlers.createJoinToken = (request) => {
    ({ publicKey } = request);
    const token = { nodeId: "node-1", nodeName: request.nodeName, incarnation: "3" };
    return CreateJoinTokenResponse.fromPartial({
      joinToken: { ...token, controllerPublicKey: "abc" },
    });
  };
  const args = ["node", "enroll", "s01", "--out", out, "--broker", "127.0.0.1:4333"];
  const first = await railctl(...args);
  expect(first.code).toBe(0);
  const written = JSON.parse(readFileSync(out, "utf8"));
  expect(written).toEqual({
    nodeId: "node-1",
    nodeName: "s01",
    incarnation: 3,
    seed: expect.stringMatching(/^SU/),
    controllerPublicKey: "abc",
    broker: "127.0.0.1:4333",
  });
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect(publicKey).toMatch(/^U/);
  expect(first.stdout + first.stderr).not.toContain(written.seed);
  publicKey = "";
  expect(await railctl(...args)).toMatchObject({ code: 4 });
  expect(publicKey).toBe("");
  expect(await railctl(...args, "--force")).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(out, "utf8")).seed).not.toBe(written.seed);
});

const CREATE = ["instance", "create", "--name", "train-1", "--profile", "p", "--zone", "z1"];
const WHERE = ["--image", "img-1", "--vpc-subnet", "vsub-1"];

function instance(state: InstanceStatus, why?: string) {
  const statusReasons = why ? [{ code: 2, message: why, metadata: new Map([["fit", "0"]]) }] : [];
  return Instance.fromPartial({ id: INSTANCE_ID, name: "train-1", status: state, statusReasons });
}

test("--wait stays until the instance runs and tells each change", async () => {
  const states = [STARTING, STARTING, RUNNING];
  handlers.createInstance = () => ({
    instance: instance(InstanceStatus.INSTANCE_STATUS_PENDING),
  });
  handlers.getInstance = () => ({ instance: instance(states.shift() ?? RUNNING) });
  const { code, stdout, stderr } = await railctl(...CREATE, ...WHERE, "--wait");
  expect(code).toBe(0);
  expect(stdout).toContain("running");
  expect(stderr.split("\n")).toEqual([
    "instance train-1: pending",
    "instance train-1: starting",
    "instance train-1: running",
    "",
  ]);
});

test("an instance that fails ends the waiting with its own exit status and says why", async () => {
  const failed = instance(InstanceStatus.INSTANCE_STATUS_FAILED, "no room");
  handlers.createInstance = () => ({ instance: failed });
  const waited = await railctl(...CREATE, ...WHERE, "--wait");
  expect(waited.code).toBe(8);
  expect(waited.stderr).toContain("failed (cannot_start_capacity: no room [fit=0])");
  expect(await railctl(...CREATE, ...WHERE)).toMatchObject({ code: 0 });
});

test("waiting ends at the deadline and names the last state", async () => {
  handlers.createInstance = () => ({ instance: instance(STARTING) });
  handlers.getInstance = () => ({ instance: instance(STARTING) });
  const { code, stderr } = await railctl(...CREATE, ...WHERE, "--wait", "--timeout", "3s");
  expect(code).toBe(7);
  expect(stderr).toContain("instance train-1: still starting");
});

test("a start whose first answer was lost counts as started", async () => {
  let asked = 0;
  handlers.getInstance = () => ({ instance: instance(STARTING) });
  handlers.startInstance = () => {
    if (++asked === 1) throw failure(status.UNAVAILABLE, "gone away");
    throw failure(status.FAILED_PRECONDITION, "it is starting", {
      reason: "INSTANCE_STATUS_CONFLICT",
    });
  };
  expect(await railctl("instance", "start", INSTANCE_ID)).toMatchObject({ code: 0 });
  expect(asked).toBe(2);
});

test("wrong usage is refused before anything is asked", async () => {
  expect(await railctl("network", "create")).toMatchObject({ code: 2 });
  expect(await railctl("nothing")).toMatchObject({ code: 2 });
  expect(await railctl("network", "list", "--timeout", "soon")).toMatchObject({ code: 2 });
  expect(await railctl("network", "list", "--server", "nowhere")).toMatchObject({ code: 2 });
  expect(await railctl("--help")).toMatchObject({ code: 0 });
});
