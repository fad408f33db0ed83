// Identity on the real broker: a node's key reaches its own subjects and no other's, strangers get
// nothing, and a server that is declared and enrolled later gets in without anybody's connection
// being cut.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bus } from "@railyard/lib/bus/bus";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { connectNats } from "@railyard/lib/bus/nats";
import { systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import {
  agentInbox,
  desiredSubject,
  pingSubject,
  upFromAll,
  upSubject,
} from "@railyard/proto/subjects";
import { afterEach, expect, test } from "vitest";
import { ProcessYard } from "./process-yard.js";
import { until } from "./until.js";
import { exampleMzone } from "./yard.js";

const A = "wdc07-a-r01-s01";
const B = "wdc07-a-r01-s02";
const LATE = "wdc07-a-r02-s04";
const FLUSH_MS = 5_000;
const KNOCK_MS = 1_500;

let yard: ProcessYard;
const buses: Bus[] = [];
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await yard.close();
});

/** A second connection with the key of an enrolled node. */
async function connectAs(nodeName: string): Promise<{ bus: Bus; nodeId: string }> {
  const file = join(yard.dir, `${nodeName}.credentials.json`);
  const { seed, nodeId } = JSON.parse(readFileSync(file, "utf8"));
  const bus = await connectNats({
    server: yard.broker.server,
    seed,
    name: "spy",
    inboxPrefix: agentInbox(nodeId),
    clock: systemClock(),
    log: silentLog(),
  });
  buses.push(bus);
  return { bus, nodeId };
}

test("another node's subjects are refused to a node's key", async () => {
  yard = await ProcessYard.open();
  await yard.startAgent(A);
  await yard.startAgent(B);
  await yard.ready(A);
  await yard.ready(B);
  const { bus, nodeId: own } = await connectAs(A);
  const { session, id: other } = await yard.node(B);
  const heard: string[] = [];
  const spy = (subject: string) => bus.subscribe(subject, (m) => heard.push(m.subject));
  for (const subject of [
    ">",
    upFromAll("heartbeat"),
    upSubject(other, "heartbeat"),
    desiredSubject(other, session),
    pingSubject(other, session),
    `${agentInbox(other)}.>`,
    "_INBOX.controller.>",
  ]) {
    spy(subject);
  }
  await bus.flush(FLUSH_MS);
  const before = (await yard.node(B)).lastHeartbeatAt?.getTime() ?? 0;
  for (const what of ["hello", "heartbeat", "report"] as const) {
    bus.publish(upSubject(other, what), new Uint8Array([1]));
  }
  bus.publish(desiredSubject(other, session), new Uint8Array([1]));
  await expect(
    bus.request(upSubject(other, "hello"), new Uint8Array(), { timeoutMs: 500 }),
  ).rejects.toMatchObject({ code: expect.stringMatching(/deadline|unavailable/) });
  await until("B's next heartbeats", async () => {
    const { lastHeartbeatAt } = await yard.node(B);
    return (lastHeartbeatAt?.getTime() ?? 0) > before + 400;
  });
  expect(heard).toEqual([]);
  expect((await yard.node(B)).session).toBe(session);
  expect((await yard.node(B)).flags).toEqual([]);
  expect(own).not.toBe(other);
});

/** Whether the broker lets this key in; it is tried for a while. */
async function knock(seed: string, nodeId: string): Promise<"in" | "out"> {
  const stop = new AbortController();
  const connecting = connectNats({
    server: yard.broker.server,
    seed,
    name: "stranger",
    inboxPrefix: agentInbox(nodeId),
    clock: systemClock(),
    log: silentLog(),
    signal: stop.signal,
  }).then(
    (bus) => {
      buses.push(bus);
      return "in" as const;
    },
    () => "out" as const,
  );
  const late = new Promise<"out">((resolve) => setTimeout(resolve, KNOCK_MS, "out"));
  const outcome = await Promise.race([connecting, late]);
  stop.abort();
  return outcome;
}

test("a key that was never enrolled, or was replaced, does not get in", async () => {
  yard = await ProcessYard.open();
  await yard.startAgent(A);
  await yard.ready(A);
  const { id } = await yard.node(A);
  expect(await knock(createBusIdentity().seed, id)).toBe("out");
  const former = await yard.enroll(B);
  await until("the new key gets in", async () => (await knock(former, id)) === "in");
  const present = await yard.enroll(B);
  await until("the newer key gets in", async () => (await knock(present, id)) === "in");
  expect(await knock(former, id)).toBe("out");
});

test("a server added later gets in while the others' connections stay", async () => {
  yard = await ProcessYard.open();
  const first = await yard.startAgent(A);
  await yard.ready(A);
  const { session } = await yard.node(A);
  const document = exampleMzone();
  document.metadata.generation = 2;
  document.zones[0]?.servers.push({
    name: LATE,
    serial: "GH1007",
    cluster: "wdc07-hopper-a",
    leafGroup: "su2",
    hardware: "hgx-h100",
    cabling: "standard",
  });
  await yard.applyMzone(document);
  await yard.startAgent(LATE, { document });
  await yard.ready(LATE);
  expect((await yard.node(A)).session).toBe(session);
  expect(first.log).not.toContain("bus disconnected");
  expect(yard.controller.log).not.toContain("bus disconnected");
});
