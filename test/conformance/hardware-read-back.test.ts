// Proves that what is attested comes from the machine: each change made below the agent, behind its
// back, must be visible in the digest while the agent may only look.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GuestFile } from "@railyard/agent/hardware/fake/guests";
import type { VfRecord } from "@railyard/agent/hardware/fake/sriov";
import { factsDigest } from "@railyard/lib/attest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MachineBench, type Wish } from "./hardware-bench.js";

const LARGE: Wish = { id: "ins-a", pairs: [0, 1], each: 2, boots: 3 };

let bench: MachineBench;

beforeAll(async () => {
  bench = await MachineBench.make();
  await bench.start();
  await bench.want([LARGE]);
  await bench.until("the instance", () => bench.isExactly([LARGE]));
  bench.reconciler?.setActing(false);
});

afterAll(() => bench.close());

/** Changes a JSON file below the agent, has the agent look, and puts it back. */
async function withEdited<T>(path: string, change: (content: T) => T): Promise<string> {
  const before = readFileSync(path, "utf8");
  writeFileSync(path, JSON.stringify(change(JSON.parse(before) as T)));
  const digest = await look();
  writeFileSync(path, before);
  return digest;
}

async function look(): Promise<string> {
  bench.last = undefined;
  bench.reconciler?.nudge();
  await bench.until("a look", () => bench.last !== undefined);
  return bench.digestOf(LARGE.id);
}

function guestFile(): string {
  return join(bench.machineDir, "guests", `${LARGE.id}.json`);
}

/** Two functions of the guest in each other's places; the first is pair 0's GPU, then its VFs. */
function swapped(a: number, b: number): (guest: GuestFile) => GuestFile {
  return (guest) => {
    const from = (i: number) => (i === a ? b : i === b ? a : i);
    const functions = guest.functions.map((f, i) => ({
      ...f,
      hostAddress: guest.functions[from(i)]!.hostAddress,
    }));
    return { ...guest, functions };
  };
}

const WRONG_GUESTS: readonly (readonly [string, (guest: GuestFile) => GuestFile])[] = [
  ["two vfs of one nic in each other's places", swapped(1, 2)],
  ["vfs of two nics in each other's places", swapped(2, 4)],
  ["two gpus in each other's places", swapped(0, 3)],
  ["a gpu in a vf's place", swapped(0, 1)],
  ["a gpu elsewhere", (g) => ({ ...g, functions: moved(g, 0) })],
  ["a vf elsewhere", (g) => ({ ...g, functions: moved(g, 5) })],
  ["a vf too few", (g) => ({ ...g, functions: g.functions.slice(0, -1) })],
  ["no functions", (g) => ({ ...g, functions: [] })],
  ["no addresses", (g) => ({ ...g, addresses: {} })],
  ["one address missing", (g) => ({ ...g, addresses: without(g.addresses) })],
  ["another prefix", (g) => ({ ...g, addresses: widened(g.addresses) })],
  ["an older boot", (g) => ({ ...g, bootCount: g.bootCount - 1 })],
  ["a later boot", (g) => ({ ...g, bootCount: g.bootCount + 1 })],
  ["fewer cpus", (g) => ({ ...g, vcpu: g.vcpu - 1 })],
  ["less memory", (g) => ({ ...g, memoryMib: g.memoryMib - 1 })],
  ["another instance", (g) => ({ ...g, instanceId: "ins-x" })],
];

function moved({ functions }: GuestFile, at: number): GuestFile["functions"] {
  return functions.map((f, i) => (i === at ? { ...f, guestAddress: "0000:77:00.0" } : f));
}

function without(addresses: GuestFile["addresses"]): GuestFile["addresses"] {
  return Object.fromEntries(Object.entries(addresses).slice(1));
}

function widened(addresses: GuestFile["addresses"]): GuestFile["addresses"] {
  const wider = ([mac, address]: [string, string]) => [mac, address.replace("/24", "/16")];
  return Object.fromEntries(Object.entries(addresses).map(wider));
}

const WRONG_VFS: readonly (readonly [string, Partial<VfRecord>])[] = [
  ["another mac", { mac: "02:00:00:00:99:99" }],
  ["no mac", { mac: "00:00:00:00:00:00" }],
  ["another vlan", { vlan: 7 }],
  ["no vlan", { vlan: 0 }],
  ["no spoof check", { spoofCheck: false }],
  ["no rate limit", { maxTxRate: 0 }],
];

test("as nothing was touched, the digest is the intended one", async () => {
  expect(await look()).toBe(factsDigest(bench.instance(LARGE)));
});

test.each(WRONG_GUESTS)("a guest with %s is not attested", async (_, change) => {
  const digest = await withEdited<GuestFile>(guestFile(), change);
  expect(digest).not.toBe(factsDigest(bench.instance(LARGE)));
});

test.each(WRONG_VFS)("a vf with %s is not attested", async (_, change) => {
  const firmware = join(bench.machineDir, "firmware");
  const names = readdirSync(firmware);
  expect(names).toHaveLength(2);
  for (const name of names) {
    const digest = await withEdited<VfRecord[]>(join(firmware, name), (records) =>
      records.map((r, vf) => (vf === 1 ? { ...r, ...change } : r)),
    );
    expect(digest).not.toBe(factsDigest(bench.instance(LARGE)));
  }
});

test("after all that, the digest is the intended one again", async () => {
  expect(await look()).toBe(factsDigest(bench.instance(LARGE)));
});
