// Malformed input: random and mutated messages at every RPC, through the real gate and over a
// socket. Nothing may crash, hang, pollute, answer INTERNAL or keep memory. RAILYARD_FUZZ sets how
// many messages are sent, RAILYARD_TEST_SEED which.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { Role } from "@railyard/proto/gen/railyard/admin/v1/token";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DescribedRpc, nameOf, RPCS } from "./fuzz/descriptors.js";
import { type OpenGate, openGate } from "./fuzz/gate.js";
import { knownFields, validRequest } from "./fuzz/requests.js";
import { below, dice, mutated, noise, wildMessage } from "./fuzz/wild.js";
import { declare, populate, type World } from "./fuzz/world.js";
import { testSeed } from "./seed.js";

const COUNT = Number(process.env.RAILYARD_FUZZ ?? 20_000);
const SOCKET_COUNT = Math.min(2_000, COUNT);
const IN_FLIGHT = 16;
const MINUTE = 60_000;
/** After so many messages the account is exchanged: what it had may be deleted, its quota full. */
const ROUND = 4_000;
const HEAP_GROWTH_MAX = 48 * 1024 * 1024;
const NOISE_BYTES = 200;
const MOSTLY = 0.95;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;

const roll = dice(testSeed());
const tested = new Map<DescribedRpc, number>();
const ends = new Map<string, number>();
const notBuilt = new Set<DescribedRpc>();
const suspects: string[] = [];
let gate: OpenGate;
let world: World;
let tenant: string;
let rounds = 0;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

beforeAll(async () => {
  console.log(`RAILYARD_FUZZ=${COUNT} RAILYARD_TEST_SEED=${testSeed()}`);
  gate = await openGate();
  await declare(gate);
  await newRound();
});
afterAll(() => gate.close());

async function newRound(): Promise<void> {
  rounds += 1;
  world = await populate(gate, `fuzz-${rounds}`);
  tenant = await world.token(Role.ROLE_TENANT_ADMIN);
}

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

interface Shot {
  readonly rpc: DescribedRpc;
  readonly token: string;
  readonly bytes: Uint8Array;
}

function shot(rpc: DescribedRpc): Shot {
  const token = rpc.listener === "admin" ? gate.operatorToken : tenant;
  tested.set(rpc, (tested.get(rpc) ?? 0) + 1);
  return { rpc, token, bytes: message(rpc) };
}

function message(rpc: DescribedRpc): Uint8Array {
  const { names } = world;
  const kind = roll();
  if (kind < 0.05) return noise(roll, NOISE_BYTES);
  if (kind < 0.5) return mutated(roll, validRequest(rpc, names));
  const texts = [...Object.values(names.ids), ...Object.values(names.fields)];
  const soil = { roll, texts, known: knownFields(rpc, names), madness: roll() ** 2 };
  const wild = wildMessage(soil, rpc.descriptor.input);
  return kind < 0.9 ? wild : mutated(roll, wild);
}

function suspect({ rpc, bytes }: Shot, what: unknown): void {
  const shown = Buffer.from(bytes.subarray(0, 400)).toString("hex");
  suspects.push(`${nameOf(rpc)}: ${what}\n  ${bytes.length} bytes: ${shown}`);
}

async function fire(one: Shot): Promise<void> {
  const outcome = await gate.call(one.rpc, one.token, one.bytes);
  const end = outcome?.code ?? "answered";
  ends.set(end, (ends.get(end) ?? 0) + 1);
  if (outcome?.code === "bug") {
    suspect(one, outcome.cause instanceof Error ? outcome.cause.stack : outcome.stack);
  }
  if (outcome?.code === "deadline") suspect(one, "hangs");
  if (outcome?.code === "unimplemented") notBuilt.add(one.rpc);
}

/** Fires `count` shots, some at a time, at all RPCs in turn. */
async function salvo(count: number, shoot: (one: Shot) => Promise<void>): Promise<void> {
  const flying = new Set<Promise<void>>();
  let flown = 0;
  for (let i = 0; flown < count && suspects.length < 20; i++) {
    const rpc = RPCS[i % RPCS.length]!;
    if (notBuilt.has(rpc) && roll() < MOSTLY) continue;
    const flight: Promise<void> = shoot(shot(rpc)).finally(() => flying.delete(flight));
    flying.add(flight);
    flown += 1;
    if (flying.size >= IN_FLIGHT) await Promise.race(flying);
  }
  await Promise.all(flying);
}

test(
  "whatever is sent to whichever RPC is answered without INTERNAL, in time, in flat memory",
  async () => {
    await salvo(ROUND, fire);
    const before = heap();
    for (let sent = ROUND; sent < COUNT; sent += ROUND) {
      await newRound();
      await salvo(Math.min(ROUND, COUNT - sent), fire);
    }
    expect(suspects.join("\n"), `RAILYARD_TEST_SEED=${testSeed()}`).toBe("");
    console.log(ends, Math.round((heap() - before) / 1024), "KiB");
    expect(heap() - before).toBeLessThan(HEAP_GROWTH_MAX);
    expect(Math.min(...RPCS.map((rpc) => tested.get(rpc) ?? 0))).toBeGreaterThan(0);
    expect(Object.keys(Object.prototype)).toEqual([]);
    // Messages that are all refused at the door would find nothing behind it.
    for (const end of ["answered", "invalid", "notFound"]) {
      expect(ends.get(end) ?? 0, end).toBeGreaterThan(COUNT / 100);
    }
  },
  MINUTE * Math.max(5, COUNT / 5_000),
);

/** The status of one call over the socket that sends the bytes as they are. */
function overSocket(client: Client, { rpc, token, bytes }: Shot): Promise<number> {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const raw = (body: Buffer) => body;
  const { definition } = rpc.rpc;
  const deadline = Date.now() + 30_000;
  return new Promise((resolve) => {
    const call = client.makeServerStreamRequest(
      ...([definition.path, raw, raw, Buffer.from(bytes), metadata, { deadline }] as const),
    );
    call.on("data", () => definition.responseStream && call.cancel());
    call.on("error", () => undefined);
    call.on("status", ({ code }) => resolve(code));
  });
}

test("the same over a socket: every call ends with a status, and the server lives", async () => {
  await newRound();
  const { ports } = gate.controller;
  const insecure = credentials.createInsecure();
  const clients = {
    tenant: new Client(`127.0.0.1:${ports.tenant}`, insecure),
    admin: new Client(`127.0.0.1:${ports.admin}`, insecure),
  };
  await salvo(SOCKET_COUNT, async (one) => {
    if (one.rpc.rpc.definition.responseStream && below(roll, 10) > 0) return;
    const code = await overSocket(clients[one.rpc.listener], one);
    if ([INTERNAL, UNAVAILABLE, DEADLINE_EXCEEDED].includes(code)) suspect(one, `status ${code}`);
  });
  expect(suspects.join("\n"), `RAILYARD_TEST_SEED=${testSeed()}`).toBe("");
  const get = RPCS.find(({ rpc }) => rpc.method === "ListClusterNetworks")!;
  const alive = { rpc: get, token: tenant, bytes: validRequest(get, world.names) };
  expect(await overSocket(clients.tenant, alive)).toBe(0);
  for (const client of Object.values(clients)) client.close();
});
