// Tests of the link against a scripted controller on the bus in memory.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeDigest } from "@railyard/lib/attest";
import type { Bus } from "@railyard/lib/bus/bus";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { sha256Hex } from "@railyard/lib/canonical";
import { ManualClock, settle } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { createSigner, createVerifier, newSeed, signedBytes } from "@railyard/lib/sign";
import {
  DesiredAnswer,
  DesiredOutcome,
  DesiredState,
  Heartbeat,
  Hello,
  HelloAnswer,
  HelloRefusalReason,
  Ping,
  Pong,
  Report,
  SignedDesired,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import {
  controllerPermissions,
  desiredSubject,
  nodePermissions,
  pingSubject,
  upFromAll,
} from "@railyard/proto/subjects";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Ledger, openLedger } from "./ledger.js";
import { decodeDesired } from "./link/desired.js";
import { INVENTORY, passed, WELCOME } from "./link/sample.js";
import { Link } from "./link.js";

const NODE = "node-1";
const SESSION = "ses-1";
const SIGNER = createSigner(newSeed(seededRng("controller")));

let dir: string;
let clock: ManualClock;
let broker: MemoryBroker;
let controller: Bus;
let ledger: Ledger;
let link: Link;
let heard: { hellos: Hello[]; heartbeats: Heartbeat[]; reports: Report[] };
let told: string[];
let answer: HelloAnswer;
/** Takes answers to hellos instead of the agent. */
let heldBy: ((respond: () => void) => void) | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "link-"));
  clock = new ManualClock();
  broker = new MemoryBroker(clock);
  controller = broker.connect("controller", controllerPermissions());
  heard = { hellos: [], heartbeats: [], reports: [] };
  told = [];
  answer = WELCOME;
  heldBy = undefined;
  controller.subscribe(upFromAll("hello"), (m) => {
    heard.hellos.push(Hello.decode(m.data));
    const respond = () => m.respond(HelloAnswer.encode(answer).finish());
    if (heldBy) heldBy(respond);
    else respond();
  });
  controller.subscribe(upFromAll("heartbeat"), (m) => {
    heard.heartbeats.push(Heartbeat.decode(m.data));
  });
  controller.subscribe(upFromAll("report"), (m) => heard.reports.push(Report.decode(m.data)));
  ledger = await openLedger({
    directory: dir,
    serial: "S1",
    bootId: "boot-1",
    nodeId: NODE,
    session: SESSION,
    decode: decodeDesired,
    failpoint: () => undefined,
  });
  link = new Link({
    bus: broker.connect(NODE, nodePermissions(NODE)),
    clock,
    rng: seededRng("link"),
    log: silentLog(),
    nodeId: NODE,
    session: SESSION,
    incarnation: 3n,
    agentVersion: "0",
    fake: true,
    inventory: INVENTORY,
    ledger,
    verify: createVerifier(SIGNER.publicKey),
    onAccepted: () => told.push("accepted"),
    onStanding: (welcome) => told.push(welcome ? "welcome" : "refused"),
    reportMs: 10_000,
    helloMs: 60_000,
  });
});

afterEach(() => {
  link.stop();
  rmSync(dir, { recursive: true, force: true });
});

interface Draft {
  readonly generation?: bigint;
  readonly epoch?: bigint;
  readonly session?: string;
  readonly state?: DesiredState;
  readonly body?: Buffer;
}

function desired(draft: Draft = {}): SignedDesired {
  const { generation = 1n, epoch = 1n, session = SESSION } = draft;
  const state = draft.state ?? DesiredState.fromPartial({ vfsPerNic: 4 });
  const body = draft.body ?? Buffer.from(DesiredState.encode(state).finish());
  const scope = { nodeId: NODE, session, epoch, generation };
  const signature = SIGNER.sign(signedBytes({ ...scope, bodyDigest: sha256Hex(body) }));
  return { ...scope, body, signature: Buffer.from(signature) };
}

async function send(message: SignedDesired | Uint8Array): Promise<DesiredAnswer> {
  const data = message instanceof Uint8Array ? message : SignedDesired.encode(message).finish();
  const subject = desiredSubject(NODE, SESSION);
  let answered: Uint8Array | undefined;
  void controller.request(subject, data, { timeoutMs: 60_000 }).then((a) => {
    answered = a;
  });
  return await vi.waitFor(
    async () => {
      await clock.advance(1);
      if (!answered) throw new Error("no answer yet");
      return DesiredAnswer.decode(answered);
    },
    { interval: 2 },
  );
}

async function started(): Promise<void> {
  link.start();
  await clock.advance(10);
}

function refused(reason: HelloRefusalReason): HelloAnswer {
  return { outcome: { $case: "refusal", value: { reason, message: "no" } } };
}

test("a hello says who, what and which state the ledger holds", async () => {
  await ledger.accept(desired(), decodeDesired(desired()));
  await started();
  expect(heard.hellos).toMatchObject([
    { nodeId: NODE, session: SESSION, incarnation: 3n, bootId: "boot-1", serial: "S1", fake: true },
  ]);
  expect(heard.hellos[0]?.accepted).toMatchObject({ generation: 1n, session: SESSION });
  expect(told).toEqual(["welcome"]);
});

test("hello is said until somebody answers", async () => {
  broker.setUp(false);
  await started();
  await clock.advance(20_000);
  expect(heard.hellos).toEqual([]);
  broker.setUp(true);
  await settle();
  await clock.advance(10);
  expect(told).toEqual(["welcome"]);
});

test("a hello that went under with the bus is said again at once", async () => {
  broker.fate = () => [];
  await started();
  broker.fate = () => [0];
  broker.setUp(false);
  broker.setUp(true);
  await settle();
  await clock.advance(10);
  expect(told).toEqual(["welcome"]);
});

test("hello is said again after a reconnect, and with every period", async () => {
  await started();
  broker.setUp(false);
  broker.setUp(true);
  await settle();
  await clock.advance(10);
  expect(heard.hellos.length).toBe(2);
  await clock.advance(60_000);
  expect(heard.hellos.length).toBe(3);
});

test("an inventory that came while a hello was under way is told once more after it", async () => {
  await started();
  const answers: (() => void)[] = [];
  heldBy = (respond) => answers.push(respond);
  await clock.advance(60_000);
  expect(heard.hellos).toHaveLength(2);
  const inventory = { ...INVENTORY, vcpu: 4 };
  link.report(passed({ inventory }));
  await clock.advance(10);
  heard.reports = [];
  for (const respond of answers) respond();
  await clock.advance(10);
  expect(heard.reports.map((report) => report.inventory?.vcpu)).toEqual([4]);
});

const REFUSALS = [
  HelloRefusalReason.HELLO_REFUSAL_REASON_NODE_NOT_DECLARED,
  HelloRefusalReason.HELLO_REFUSAL_REASON_NOT_ENROLLED,
  HelloRefusalReason.HELLO_REFUSAL_REASON_ANOTHER_SESSION_ALIVE,
  HelloRefusalReason.HELLO_REFUSAL_REASON_SESSION_SUPERSEDED,
  HelloRefusalReason.HELLO_REFUSAL_REASON_GENERATION_UNKNOWN,
  HelloRefusalReason.HELLO_REFUSAL_REASON_MALFORMED,
];

test.each(REFUSALS.map((reason) => [HelloRefusalReason[reason], reason] as const))(
  "refused for %s, the session stands still and asks again within bounds",
  async (_, reason) => {
    answer = refused(reason);
    await started();
    link.report(passed());
    await clock.advance(60_000);
    expect(new Set(told)).toEqual(new Set(["refused"]));
    expect(heard.hellos.length).toBeGreaterThan(5);
    expect(heard.hellos.length).toBeLessThan(30);
    expect(heard.heartbeats).toEqual([]);
    expect(heard.reports).toEqual([]);
    answer = WELCOME;
    await clock.advance(11_000);
    expect(told.at(-1)).toBe("welcome");
  },
);

test("a controller that cannot answer now changes nobody's standing", async () => {
  await started();
  answer = refused(HelloRefusalReason.HELLO_REFUSAL_REASON_UNAVAILABLE);
  await clock.advance(61_000);
  const before = heard.heartbeats.length;
  await clock.advance(3_000);
  expect(heard.heartbeats.length).toBe(before + 3);
  expect(told).toEqual(["welcome"]);
});

test("heartbeats come as often as the welcome says, with digest and generations", async () => {
  await started();
  link.report(passed());
  await clock.advance(3_000);
  expect(heard.heartbeats.length).toBe(4);
  expect(heard.heartbeats.at(-1)).toMatchObject({
    session: SESSION,
    bootId: "boot-1",
    digest: nodeDigest(new Map()),
  });
});

test("a report that the bus does not take ends neither passes nor signs of life", async () => {
  await started();
  const message = "w".repeat(2 * 1024 * 1024);
  const warnings = [{ kind: "odd", deviceId: "", message }];
  link.report(passed({ inventory: { ...INVENTORY, warnings } }));
  const before = heard.heartbeats.length;
  await clock.advance(3_000);
  expect(heard.heartbeats.length).toBe(before + 3);
  link.report(passed());
  await clock.advance(10);
  expect(heard.reports).toHaveLength(1);
});

test("a desired state is stored, then told, then answered", async () => {
  await started();
  expect(await send(desired({ generation: 4n }))).toMatchObject({
    outcome: DesiredOutcome.DESIRED_OUTCOME_ACCEPTED,
    generation: 4n,
  });
  expect(ledger.desired).toMatchObject({ generation: 4n, vfsPerNic: 4 });
  expect(told).toEqual(["welcome", "accepted"]);
  await clock.advance(1_000);
  expect(heard.heartbeats.at(-1)).toMatchObject({ acceptedGeneration: 4n, appliedGeneration: 0n });
});

const WIRE_INSTANCE = {
  instanceId: "ins-1",
  name: "one",
  bootCount: 1n,
  vcpu: 1,
  memoryMib: 1n,
  gpus: ["gpu-0", "gpu-0"],
  attachments: [],
  volumes: [],
  vpcNics: [],
  userData: Buffer.alloc(0),
  sshKeys: [],
};

const DESIRED_REFUSALS: readonly (readonly [string, () => SignedDesired | Uint8Array, string])[] = [
  ["older", () => desired({ generation: 4n }), "STALE"],
  ["of an older epoch", () => desired({ epoch: 0n, generation: 9n }), "STALE"],
  [
    "other under the same generation",
    () => desired({ generation: 5n, state: DesiredState.fromPartial({ vfsPerNic: 9 }) }),
    "CONTRADICTORY",
  ],
  ["changed after signing", () => ({ ...desired({ generation: 6n }), epoch: 2n }), "BAD_SIGNATURE"],
  [
    "not signed",
    () => ({ ...desired({ generation: 6n }), signature: Buffer.alloc(0) }),
    "BAD_SIGNATURE",
  ],
  ["for another session", () => desired({ generation: 6n, session: "ses-2" }), "NOT_ADDRESSED"],
  [
    "for another node",
    () => ({ ...desired({ generation: 6n }), nodeId: "node-2" }),
    "NOT_ADDRESSED",
  ],
  ["no message", () => Buffer.from([255, 255, 255]), "MALFORMED"],
  ["no state", () => desired({ generation: 6n, body: Buffer.from([255]) }), "MALFORMED"],
  [
    "against the rules",
    () =>
      desired({
        generation: 6n,
        state: DesiredState.fromPartial({ vfsPerNic: 1, instances: [WIRE_INSTANCE] }),
      }),
    "MALFORMED",
  ],
];

test.each(DESIRED_REFUSALS)("a desired state that is %s is refused", async (_, make, outcome) => {
  await started();
  await send(desired({ generation: 5n }));
  const refusal = await send(make());
  expect(DesiredOutcome[refusal.outcome]).toBe(`DESIRED_OUTCOME_${outcome}`);
  expect(refusal.generation).toBe(5n);
  expect(ledger.desired?.generation).toBe(5n);
});

test("a desired state older than what was applied is refused though none is held", async () => {
  await started();
  await ledger.applied(decodeDesired(desired({ generation: 7n })));
  const refusal = await send(desired({ generation: 6n }));
  expect(refusal.outcome).toBe(DesiredOutcome.DESIRED_OUTCOME_STALE);
  expect([refusal.epoch, refusal.generation]).toEqual([1n, 7n]);
  expect((await send(desired({ generation: 7n }))).outcome).toBe(
    DesiredOutcome.DESIRED_OUTCOME_ACCEPTED,
  );
});

test("a desired state that cannot be written is answered as not stored", async () => {
  await started();
  rmSync(dir, { recursive: true });
  const refusal = await send(desired());
  expect(refusal.outcome).toBe(DesiredOutcome.DESIRED_OUTCOME_NOT_STORED);
  expect(told).not.toContain("accepted");
});

test("an exact repetition is accepted again, and is no reason to look at the machine", async () => {
  await started();
  await send(desired());
  expect((await send(desired())).outcome).toBe(DesiredOutcome.DESIRED_OUTCOME_ACCEPTED);
  expect(told).toEqual(["welcome", "accepted"]);
});

test("a ping for this session is answered", async () => {
  await started();
  const ping = Ping.encode({ session: SESSION }).finish();
  const asked = controller.request(pingSubject(NODE, SESSION), ping, { timeoutMs: 1_000 });
  await clock.advance(5);
  expect(Pong.decode(await asked).session).toBe(SESSION);
});

test("a stopped link says and hears nothing", async () => {
  await started();
  link.stop();
  const before = heard.heartbeats.length;
  link.report(passed());
  await clock.advance(120_000);
  await settle();
  expect(heard.heartbeats.length).toBe(before);
  expect(heard.reports).toEqual([]);
  expect(broker.listeners(desiredSubject(NODE, SESSION))).toBe(0);
});
