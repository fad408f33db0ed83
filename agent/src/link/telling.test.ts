// Tests of when a link tells what passes found, and how often it encodes that.
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { ManualClock, settle } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { HelloAnswer, Report } from "@railyard/proto/gen/railyard/agent/v1/agent";
import { controllerPermissions, nodePermissions, upFromAll } from "@railyard/proto/subjects";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Ledger } from "../ledger.js";
import { Link } from "../link.js";
import type { InstanceReport } from "../model.js";
import { INVENTORY, passed, WELCOME } from "./sample.js";

const NODE = "node-1";

let clock: ManualClock;
let broker: MemoryBroker;
let link: Link;
let heard: { heartbeats: number; reports: Report[] };

beforeEach(() => {
  clock = new ManualClock();
  broker = new MemoryBroker(clock);
  heard = { heartbeats: 0, reports: [] };
  const controller = broker.connect("controller", controllerPermissions());
  const welcome = HelloAnswer.encode(WELCOME).finish();
  controller.subscribe(upFromAll("hello"), (m) => m.respond(welcome));
  controller.subscribe(upFromAll("heartbeat"), () => {
    heard.heartbeats += 1;
  });
  controller.subscribe(upFromAll("report"), (m) => heard.reports.push(Report.decode(m.data)));
  const nothing = { desired: undefined, signed: undefined, appliedGeneration: 0n };
  link = new Link({
    ...{ bus: broker.connect(NODE, nodePermissions(NODE)), clock, rng: seededRng("link") },
    ...{ log: silentLog(), nodeId: NODE, session: "ses-1", incarnation: 1n, agentVersion: "0" },
    ...{ fake: true, inventory: INVENTORY, ledger: nothing as unknown as Ledger },
    verify: () => false,
    onAccepted: () => undefined,
    onStanding: () => undefined,
    ...{ reportMs: 10_000, helloMs: 60_000 },
  });
});
afterEach(() => link.stop());

async function started(): Promise<void> {
  link.start();
  await clock.advance(10);
}

test("a report is told at once when it is news, else once per period", async () => {
  await started();
  link.report(passed());
  link.report(passed());
  await clock.advance(5);
  expect(heard.reports.length).toBe(1);
  link.report(passed({ generation: 2n }));
  await clock.advance(5);
  expect(heard.reports.map((r) => r.generation)).toEqual([1n, 2n]);
  await clock.advance(12_000);
  expect(heard.reports.length).toBe(3);
});

test("a report carries the inventory only when it changed", async () => {
  await started();
  link.report(passed());
  link.report(passed({ inventory: { ...INVENTORY, vcpu: 9 } }));
  link.report(passed({ generation: 2n, inventory: { ...INVENTORY, vcpu: 9 } }));
  await clock.advance(5);
  expect(heard.reports.map((r) => r.inventory?.vcpu)).toEqual([undefined, 9, undefined]);
});

test("a machine that stays the same is encoded once a pass, not with every heartbeat", async () => {
  await started();
  link.report(passed());
  await clock.advance(5);
  const encode = vi.spyOn(Report, "encode");
  link.report(passed());
  await clock.advance(5_000);
  expect(encode).toHaveBeenCalledTimes(1);
  encode.mockRestore();
  expect(heard.heartbeats).toBe(6);
  await clock.advance(7_000);
  expect(heard.reports.length).toBe(2);
});

test("layouts that one report has no room for follow with the next signs of life", async () => {
  await started();
  link.report(passed({ instances: ["ins-1", "ins-2", "ins-3"].map(largeInstance) }));
  await clock.advance(3_000);
  const layouts = heard.reports.map(({ instances }) => instances.filter((i) => i.layout).length);
  expect(layouts).toEqual([1, 1, 1]);
});

test("after a new welcome an unchanged machine is told again", async () => {
  await started();
  link.report(passed());
  broker.setUp(false);
  broker.setUp(true);
  await settle();
  await clock.advance(10);
  expect(heard.reports.length).toBe(2);
});

function largeInstance(instanceId: string): InstanceReport {
  const counts = { bootCount: 1, vcpu: 1, memoryMib: 1 };
  const texts = { ncclTopologyXml: "", ncclEnvironment: "", kernelSettings: "" };
  const view = { ...texts, tree: [], networkSettings: "x".repeat(300_000), qemuArguments: [] };
  return {
    instanceId,
    phase: "present",
    facts: { instanceId, ...counts, gpus: [], attachments: [] },
    view,
    ...{ reason: "", attachments: [], devices: [], failures: [] },
  };
}
