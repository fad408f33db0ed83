// Heartbeats as they come in: what renews a lease, what is news, and what is neither.
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { ManualClock } from "@railyard/lib/clock";
import type { NodeId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { Heartbeat } from "@railyard/proto/gen/railyard/agent/v1/agent";
import { upSubject } from "@railyard/proto/subjects";
import { expect, test } from "vitest";
import type { ServiceContext } from "../service/context.js";
import { Leases } from "../service/leases.js";
import type { ReadTx } from "../store/contract.js";
import { Inbox } from "./inbox.js";

const LEASE_MS = 1_000;
const NODE = "node-a" as NodeId;

function yard() {
  const clock = new ManualClock();
  const leases = new Leases(clock, LEASE_MS);
  const present = { session: "ses-1" as string | undefined };
  const reads = { count: 0 };
  const read = async (fn: (tx: ReadTx) => Promise<unknown>) => {
    reads.count += 1;
    const node = { session: present.session, superseded: [] };
    return fn({ nodes: { get: async () => node } } as unknown as ReadTx);
  };
  const ctx = { clock, leases, log: silentLog(), store: { read } } as unknown as ServiceContext;
  const broker = new MemoryBroker(clock);
  const news: NodeId[] = [];
  const inbox = new Inbox({
    ctx,
    bus: broker.connect("controller"),
    signingPublicKey: "",
    heartbeatMs: 100,
    onWelcome: () => undefined,
    onNews: (nodeId) => news.push(nodeId),
  });
  inbox.start();
  const agent = broker.connect("agent");
  const say = async (change: Partial<Heartbeat> = {}, rest: Uint8Array = Uint8Array.of()) => {
    const beat = Heartbeat.fromPartial({ nodeId: NODE, session: "ses-1", epoch: 1n, ...change });
    const bytes = Buffer.concat([Heartbeat.encode(beat).finish(), rest]);
    agent.publish(upSubject(NODE, "heartbeat"), bytes);
    await clock.advance(0);
  };
  const told = () => news.splice(0).length;
  return { clock, leases, present, reads, say, told };
}

test("a heartbeat that repeats the last one renews the lease and is no news", async () => {
  const { clock, leases, reads, say, told } = yard();
  for (let i = 0; i < 5; i++) {
    await say({ acceptedGeneration: 3n });
    expect(told()).toBe(i === 0 ? 1 : 0);
    await clock.advance(0.9 * LEASE_MS);
    expect(leases.fresh(NODE)).toBe(true);
  }
  expect(reads.count).toBe(1);
  await clock.advance(0.2 * LEASE_MS);
  expect(leases.fresh(NODE)).toBe(false);
});

test("each generation and digest is news, and so is one that is behind what is known", async () => {
  const { leases, say, told } = yard();
  const said: Partial<Heartbeat>[] = [
    {},
    { acceptedGeneration: 1n },
    { acceptedGeneration: 1n, appliedGeneration: 1n },
    { acceptedGeneration: 1n, appliedGeneration: 1n, digest: "d" },
  ];
  for (const words of said) {
    await say(words);
    expect(told()).toBe(1);
    expect(leases.said(NODE)).toMatchObject(words);
  }
  leases.accepted(NODE, { session: "ses-1", epoch: 1n, acceptedGeneration: 2n });
  await say(said[3]);
  expect([told(), leases.said(NODE)?.acceptedGeneration]).toEqual([1, 1n]);
  leases.accepted(NODE, { session: "ses-1", epoch: 1n, acceptedGeneration: 2n });
  await say({ ...said[3], acceptedGeneration: 2n });
  expect(told()).toBe(0);
});

test("a heartbeat too long to be kept counts all the same", async () => {
  const { clock, leases, say, told } = yard();
  // An unknown field of 600 bytes, as a later version may send.
  const rest = Buffer.concat([Buffer.from([0xfa, 0x01, 0xd8, 0x04]), Buffer.alloc(600)]);
  for (let i = 0; i < 3; i++) {
    await say({}, rest);
    await clock.advance(0.9 * LEASE_MS);
    expect(leases.fresh(NODE)).toBe(true);
  }
  expect(told()).toBe(1);
});

test("a node speaks for itself only, in its present session, however often it does", async () => {
  const { leases, present, say } = yard();
  for (let i = 0; i < 3; i++) await say({ nodeId: "node-b" });
  expect(leases.last(NODE)).toBeUndefined();
  present.session = "ses-2";
  for (let i = 0; i < 3; i++) await say();
  expect(leases.last(NODE)).toBeUndefined();
  await say({ session: "ses-2" });
  for (let i = 0; i < 3; i++) await say();
  expect(leases.last(NODE)?.session).toBe("ses-2");
});
