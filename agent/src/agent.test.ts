// Tests of a whole agent on a made-up machine, with a scripted controller on the bus in memory.
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { factsDigest } from "@railyard/lib/attest";
import type { Bus } from "@railyard/lib/bus/bus";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { sha256Hex } from "@railyard/lib/canonical";
import { ManualClock, systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { seededRng, systemRng } from "@railyard/lib/rng";
import { createSigner, newSeed, signedBytes } from "@railyard/lib/sign";
import {
  DesiredAnswer,
  DesiredOutcome,
  DesiredState,
  Hello,
  HelloAnswer,
  InstancePhase,
  IsolationKind,
  Report,
  SignedDesired,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import { desiredSubject, nodePermissions, upFromAll } from "@railyard/proto/subjects";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Agent, createAgent } from "./agent.js";
import type { AgentConfig } from "./config.js";
import type { Hardware } from "./hardware/hardware.js";

const NODE = "node-1";
const SIGNER = createSigner(newSeed(seededRng("controller")));
const clock = systemClock();

let dir: string;
let broker: MemoryBroker;
let controller: Bus;
let agent: Agent;
let hellos: Hello[];
let reports: Report[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "agent-"));
  broker = new MemoryBroker(clock);
  controller = broker.connect("controller");
  hellos = [];
  reports = [];
  controller.subscribe(upFromAll("hello"), (m) => {
    hellos.push(Hello.decode(m.data));
    const value = { epoch: 1n, heartbeatMs: 1_000, leaseMs: 5_000 };
    m.respond(HelloAnswer.encode({ outcome: { $case: "welcome", value } }).finish());
  });
  controller.subscribe(upFromAll("report"), (m) => reports.push(Report.decode(m.data)));
  agent = started();
});

afterEach(async () => {
  await agent.stop();
  // It waits for a pass under way, but not for ever.
  await rm(dir, { recursive: true, force: true, maxRetries: 10 });
});

function config(): AgentConfig {
  return {
    credentials: {
      nodeId: NODE,
      nodeName: "one",
      incarnation: 1,
      seed: "",
      controllerPublicKey: SIGNER.publicKey,
    },
    broker: "127.0.0.1:1",
    dataDir: dir,
    logLevel: "silent",
    sweepMs: 1_000,
    reportMs: 1_000,
    helloMs: 60_000,
    fake: { model: "hgx-h100", serial: "GH1", cabling: [] },
  };
}

function started(bus: Bus = broker.connect(NODE, nodePermissions(NODE))): Agent {
  const made = createAgent(config(), { clock, rng: systemRng(), bus, log: silentLog() });
  made.start();
  return made;
}

function desired(generation: bigint, count: number): SignedDesired {
  const { pairs } = hello().inventory ?? { pairs: [] };
  const per = count / pairs.length;
  const attachments = Array.from({ length: count }, (_, position) => {
    const pair = Math.floor(position / per);
    return {
      attachmentId: `cna-${position}`,
      position,
      rail: pair,
      pair,
      nic: pairs[pair]?.nic ?? "",
      vf: position % per,
      mac: `02:00:00:00:00:${position.toString(16).padStart(2, "0")}`,
      address: `10.0.0.${position + 5}/24`,
      isolation: { kind: IsolationKind.ISOLATION_KIND_VLAN, id: 100 },
      rateMbps: 400_000 / per,
      mtu: 9_000,
      spoofCheck: true,
    };
  });
  const instance = {
    instanceId: "ins-1",
    name: "one",
    bootCount: 1n,
    vcpu: 152,
    memoryMib: 1024n,
    gpus: pairs.map((p) => p.gpu),
    attachments,
    volumes: [],
    vpcNics: [],
    userData: Buffer.alloc(0),
    sshKeys: [],
  };
  const state = DesiredState.fromPartial({ vfsPerNic: 4, instances: count > 0 ? [instance] : [] });
  const body = Buffer.from(DesiredState.encode(state).finish());
  const scope = { nodeId: NODE, session: hello().session, epoch: 1n, generation };
  const signature = SIGNER.sign(signedBytes({ ...scope, bodyDigest: sha256Hex(body) }));
  return { ...scope, body, signature: Buffer.from(signature) };
}

function hello(): Hello {
  const last = hellos.at(-1);
  if (!last) throw new Error("no hello yet");
  return last;
}

async function send(message: SignedDesired): Promise<DesiredOutcome> {
  const data = SignedDesired.encode(message).finish();
  const subject = desiredSubject(NODE, message.session);
  return DesiredAnswer.decode(await controller.request(subject, data, { timeoutMs: 60_000 }))
    .outcome;
}

function report(is: (report: Report) => boolean): Promise<Report> {
  return vi.waitFor(
    () => {
      const last = reports.at(-1);
      if (last && is(last)) return last;
      throw new Error(`no such report; last: ${JSON.stringify(last?.instances)}`);
    },
    { interval: 20 },
  );
}

const isPresent = (r: Report) =>
  r.instances.some((i) => i.phase === InstancePhase.INSTANCE_PHASE_PRESENT);

test.each([8, 16, 32])("an instance with %i attachments is read back in order", async (count) => {
  await vi.waitFor(hello);
  const message = desired(1n, count);
  expect(await send(message)).toBe(DesiredOutcome.DESIRED_OUTCOME_ACCEPTED);
  const { instances } = await report(isPresent);
  const { attachments } = DesiredState.decode(message.body).instances[0] ?? { attachments: [] };
  const facts = {
    instanceId: "ins-1",
    bootCount: 1,
    vcpu: 152,
    memoryMib: 1024,
    gpus: hello().inventory?.pairs.map((p) => p.gpu) ?? [],
    attachments: attachments.map((a) => ({
      ...a,
      isolation: { kind: "vlan" as const, id: a.isolation?.id ?? 0 },
    })),
  };
  expect(instances[0]?.digest).toBe(factsDigest(facts));
  const addresses = instances[0]?.attachments.map((a) => a.guestPciAddress) ?? [];
  expect(addresses).toEqual([...addresses].sort());
});

test("after a restart without any bus the ledger is kept, and hello tells of it", async () => {
  await vi.waitFor(hello);
  await send(desired(1n, 8));
  await report(isPresent);
  await agent.stop();
  broker.setUp(false);
  agent = started();
  await vi.waitFor(() => expect(agent.lastPass()?.instances[0]?.phase).toBe("present"));
  broker.setUp(true);
  await vi.waitFor(() => expect(hellos.length).toBe(2));
  expect(hello()).toMatchObject({ session: agent.session, appliedGeneration: 1n });
  expect(hello().accepted?.generation).toBe(1n);
});

test("an instance taken away is reported gone, device by device", async () => {
  await vi.waitFor(hello);
  await send(desired(1n, 8));
  await report(isPresent);
  await send(desired(2n, 0));
  const gone = await report((r) => r.generation === 2n && r.instances.length === 0);
  expect(gone).toMatchObject({ residues: [], complete: true });
});

test("an agent without a broker stops at once", async () => {
  await agent.stop();
  const alone = createAgent(config(), { log: silentLog() });
  alone.start();
  await vi.waitFor(() => expect(alone.lastPass()).toBeDefined());
  const before = clock.monotonic();
  await alone.stop();
  expect(clock.monotonic() - before).toBeLessThan(20_000);
});

test("an agent whose hardware hangs stops all the same", async () => {
  const manual = new ManualClock();
  const hung = () => new Promise<never>(() => undefined);
  const hardware = new Proxy({ fake: true } as Hardware, {
    get: (target, name) => (name === "fake" ? target.fake : hung),
  });
  const bus = broker.connect("hung");
  const stuck = createAgent(config(), { clock: manual, bus, hardware, log: silentLog() });
  stuck.start();
  const stopped = stuck.stop();
  await manual.advance(5_000);
  await stopped;
});

test("an agent without any machine refuses to be made", () => {
  const { fake: _, ...real } = config();
  expect(() => createAgent(real, { log: silentLog() })).toThrow(/neither a real machine nor/);
});
