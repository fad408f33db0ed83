// Walks the descriptors and fails when an RPC lacks what every call must have: roles, limits, a dry
// run, a request id, pages, a deadline, and a test of the contract that calls it. What is not built
// is found out by calling it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { rolesFor } from "@railyard/controller/api/access";
import { bindRpc, CALL_MS_MAX, DOWNLOAD_MS_MAX, runCall } from "@railyard/controller/api/call";
import { LateSignal } from "@railyard/controller/api/late-signal";
import { Limits } from "@railyard/controller/api/limits";
import { ManualClock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { Role } from "@railyard/proto/gen/railyard/admin/v1/token";
import { contractImage } from "@railyard/proto/image";
import { afterAll, beforeAll, expect, test } from "vitest";
import { calledRpcs } from "./contract-calls.js";
import {
  type DescribedRpc,
  declaredRpcs,
  limitsOf,
  nameOf,
  RPCS,
  reachable,
} from "./fuzz/descriptors.js";
import { type OpenGate, openGate } from "./fuzz/gate.js";
import { declare, populate, type World } from "./fuzz/world.js";

const READS = /^(Get|List|Watch|Check|Attach|Explain|Simulate|Propose|Validate|Export|Verify)/;
const REPEATABLE = /^(Create|BatchCreate|Add|Move|Reboot|Apply|Drain|Fence)/;
const SUITE = join(import.meta.dirname, "contract");

let gate: OpenGate;
let world: World;
beforeAll(async () => {
  gate = await openGate();
  await declare(gate);
  world = await populate(gate, "walk");
});
afterAll(() => gate.close());

function lacking(fields: readonly string[], concerned: (method: string) => boolean): string[] {
  return RPCS.filter(({ rpc }) => concerned(rpc.method))
    .filter(({ descriptor: { input } }) => !hasAll(input.fields, fields))
    .map(nameOf);
}

function hasAll(fields: readonly DescField[], names: readonly string[]): boolean {
  return names.every((name) => fields.some((field) => field.name === name));
}

test("every RPC of the contract is served", () => {
  expect(RPCS.map(nameOf).sort()).toEqual(declaredRpcs().sort());
});

test("every RPC names the roles that may call it", () => {
  for (const { rpc } of RPCS) {
    expect(rolesFor(rpc.service, rpc.method).length, rpc.method).toBeGreaterThan(0);
  }
});

function unlimited(field: DescField): string[] {
  const { maxLength, charset, maxItems } = limitsOf(field);
  const kinds = [field.scalar, field.fieldKind === "map" ? field.mapKey : undefined];
  const text = kinds.includes(ScalarType.STRING);
  const mask = field.message?.typeName === "google.protobuf.FieldMask";
  const many = field.fieldKind === "list" || field.fieldKind === "map" || mask;
  const missing: string[] = [];
  if (many && maxItems === 0) missing.push("max_items");
  if ((text || kinds.includes(ScalarType.BYTES)) && maxLength === 0) missing.push("max_length");
  if (text && charset === 0) missing.push("charset");
  return missing.map((what) => `${field.parent.typeName}.${field.name}: ${what}`);
}

test("every string and every repeated field of requests and answers has its limits", () => {
  const ways = RPCS.flatMap(({ descriptor: { input, output } }) => [input, output]);
  const messages = new Set(ways.flatMap((message) => [...reachable(message)]));
  expect(messages.size).toBeGreaterThan(100);
  expect([...messages].flatMap(({ fields }) => fields.flatMap(unlimited))).toEqual([]);
});

test("every mutation can be validated only", () => {
  expect(lacking(["validate_only"], (method) => !READS.test(method))).toEqual([]);
});

test("everything that makes something or must not happen twice takes a request id", () => {
  expect(lacking(["request_id"], (method) => REPEATABLE.test(method))).toEqual([]);
});

test("every list is paged: size and token in, rows, token and total out", () => {
  const isList = (method: string) => method.startsWith("List");
  expect(lacking(["page_size", "page_token"], isList)).toEqual([]);
  for (const { rpc, descriptor } of RPCS.filter(({ rpc: { method } }) => isList(method))) {
    const { input, output } = descriptor;
    expect(hasAll(output.fields, ["next_page_token", "total_size"]), rpc.method).toBe(true);
    expect(
      output.fields.some(({ fieldKind }) => fieldKind === "list"),
      rpc.method,
    ).toBe(true);
    const size = input.fields.find(({ name }) => name === "page_size")!;
    expect(limitsOf(size).minimum, rpc.method).toBe(0n);
  }
});

test("updates take a mask and an etag, deletes an etag", () => {
  expect(lacking(["update_mask", "etag"], (method) => method.startsWith("Update"))).toEqual([]);
  expect(lacking(["etag"], (method) => method.startsWith("Delete"))).toEqual([]);
});

const limits = new Limits(contractImage());

/** How the call of a client that sends nothing and waits for ever stands, before and after `ms`. */
async function waitedOut({ rpc }: DescribedRpc, ms: number): Promise<string[]> {
  const clock = new ManualClock();
  const roles = rolesFor(rpc.service, rpc.method);
  const never = () => new Promise<never>(() => undefined);
  const metadata = new Metadata();
  metadata.set("authorization", "Bearer any");
  let state = "waits";
  const authenticate = async () => ({ id: "tok", account: undefined, roles });
  const run = async () =>
    runCall(
      {
        ...{ authenticate, limits, clock, log: silentLog(), signPage: () => Buffer.alloc(0) },
        onTokenTouch: () => () => undefined,
      },
      bindRpc(rpc, limits, { [rpc.key]: never }),
      {
        ...{ metadata, remainingMs: Number.POSITIVE_INFINITY, write: never },
        requests: { [Symbol.asyncIterator]: () => ({ next: never }) },
        gone: new LateSignal(),
      },
    );
  void run().catch((thrown) => {
    state = asRailyardError(thrown).code;
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const states: string[] = [];
  for (const step of [ms - 1, 1]) {
    await clock.advance(step);
    await settle();
    states.push(state);
  }
  return states;
}

test("every call has a deadline of the server's own", async () => {
  for (const one of RPCS) {
    const ms = one.rpc.definition.responseStream ? DOWNLOAD_MS_MAX : CALL_MS_MAX;
    expect(await waitedOut(one, ms), nameOf(one)).toEqual(["waits", "deadline"]);
  }
});

async function notBuilt(): Promise<Set<DescribedRpc>> {
  const admin = gate.operatorToken;
  const tenant = await world.token(Role.ROLE_TENANT_ADMIN);
  const found = new Set<DescribedRpc>();
  for (const one of RPCS) {
    const outcome = await gate.call(one, one.listener === "admin" ? admin : tenant, NOTHING);
    if (outcome?.code === "unimplemented") found.add(one);
  }
  return found;
}

const NOTHING = new Uint8Array();

test("every RPC that is built is called, and answered, by a test of the contract", async () => {
  const tests = readdirSync(SUITE).map((file) => join(SUITE, file));
  const helpers = ["customer.ts", "console.ts"].map((file) => join(SUITE, "..", file));
  const called = new Set(
    [...tests, ...helpers].flatMap((path) => [...calledRpcs(path, readFileSync(path, "utf8"))]),
  );
  const missing = await notBuilt();
  const uncalled = RPCS.filter((one) => !missing.has(one) && !called.has(one.rpc.key));
  expect(uncalled.map(nameOf)).toEqual([]);
});

test("an RPC that is only named, or only refused, counts as not called", () => {
  const text = `
    const { getNode, listNodes: list, cordonNode } = nodes.NodeServiceService;
    const quotas = QuotaServiceService;
    // drainNode
    at.admin.call(list, {}); at.admin.call(quotas.getQuota, {}); at.admin.refused(cordonNode, {});
  `;
  expect([...calledRpcs("some.test.ts", text)].sort()).toEqual(["getQuota", "listNodes"]);
});
