// Tests that a made-up machine ends as desired whatever happened on the way: killed between any two
// calls, and through random desired states, faults, reboots and restarts.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { factsDigest } from "@railyard/lib/attest";
import { ManualClock, settle } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeHardware, rebootFakeMachine } from "../hardware/fake/fake.js";
import { type FaultRule, setFaults } from "../hardware/fake/faults.js";
import type { Hardware } from "../hardware/hardware.js";
import { inventoryOf } from "../inventory.js";
import { type Ledger, openLedger } from "../ledger.js";
import type { Desired, DesiredInstance, Inventory, PassReport } from "../model.js";
import { Reconciler } from "./reconcile.js";

const VFS_PER_NIC = 4;
const SLICE_MS = 1_000;
/** Made-up time within which everything must have come true. */
const BOUND_MS = 600_000;
const CHANGES = /^(set|configure|bind|unbind|start|stop|reboot)/;

let dir: string;
let clock: ManualClock;
let inventory: Inventory;
let generation: bigint;
let states: Map<string, readonly DesiredInstance[]>;
let ledger: Ledger;
let reconciler: Reconciler | undefined;
let last: PassReport | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "converge-"));
  clock = new ManualClock();
  generation = 0n;
  states = new Map();
  inventory = inventoryOf(await open().readFacts());
});

afterEach(async () => {
  await stop();
  rmSync(dir, { recursive: true, force: true });
});

function machineDir(): string {
  return join(dir, "machine");
}

function open(): Hardware {
  const machine = { dir: machineDir(), model: "mini-2gpu", serial: "S1", cabling: [] };
  return createFakeHardware({ ...machine, clock, bootMs: 100 });
}

/** A new agent, as far as the machine can tell. */
async function start(hardware = open()): Promise<void> {
  ledger = await openLedger({
    directory: join(dir, "ledger"),
    serial: "S1",
    nodeId: "node-1",
    session: "ses-1",
    decode: ({ body, ...at }) => desired(at.epoch, at.generation, body.toString()),
    failpoint: () => undefined,
  });
  last = undefined;
  reconciler = new Reconciler({
    hardware,
    readInventory: inventoryOf,
    ledger,
    clock,
    rng: seededRng("reconcile"),
    log: silentLog(),
    sweepMs: 10_000,
    onPass: (pass) => {
      last = pass;
    },
    failpoint: () => undefined,
  });
  reconciler.start();
}

/** Ends the agent, also where it waits for something that hangs. */
async function stop(): Promise<void> {
  let ended = false;
  const stopped = reconciler?.stop().then(() => {
    ended = true;
  });
  while (stopped && !ended) await pass(60_000);
  reconciler = undefined;
}

function desired(epoch: bigint, at: bigint, name: string): Desired {
  const instances = states.get(name) ?? [];
  return { epoch, generation: at, vfsPerNic: VFS_PER_NIC, instances };
}

async function want(instances: readonly DesiredInstance[]): Promise<void> {
  generation += 1n;
  const name = String(generation);
  states.set(name, instances);
  const scope = { nodeId: "node-1", session: "ses-1", epoch: 1n, generation };
  const signed = { ...scope, body: Buffer.from(name), signature: Buffer.from("s") };
  await ledger.accept(signed, desired(1n, generation, name));
  reconciler?.nudge();
}

async function until(what: string, is: () => boolean): Promise<void> {
  const end = clock.monotonic() + BOUND_MS;
  while (!is()) {
    if (clock.monotonic() > end) throw new Error(`${what} never came; last: ${shown()}`);
    await pass(SLICE_MS);
  }
}

/** Lets made-up time pass, with the ledger's writes, which take real time, done in between. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left >= 0; left -= SLICE_MS) {
    await clock.advance(Math.min(left, SLICE_MS));
    if (ledger.signed) await ledger.accept(ledger.signed, desired(1n, generation, ""));
    await settle();
  }
}

function shown(): string {
  const { inventory: _, ...seen } = last ?? {};
  return JSON.stringify(seen, (_, v) => (typeof v === "bigint" ? String(v) : v)).slice(0, 2_000);
}

/** What one instance wants: which pairs, how many attachments on each. */
interface Wish {
  readonly id: string;
  readonly pairs: readonly number[];
  readonly each: number;
  readonly boots: number;
}

function instance({ id, pairs, each, boots }: Wish): DesiredInstance {
  const number = id.charCodeAt(id.length - 1);
  const attachments = pairs.flatMap((at, pair) =>
    Array.from({ length: each }, (_, vf) => {
      const position = pair * each + vf;
      return {
        attachmentId: `${id}-${position}`,
        position,
        rail: at,
        pair,
        nic: inventory.pairs[at]!.nic,
        vf,
        mac: `02:00:00:00:${number}:0${position}`,
        address: `10.0.${number}.${position + 5}/24`,
        isolation: { kind: "vlan" as const, id: 100 + number },
        rateMbps: 400_000 / each,
        mtu: 9_000,
        spoofCheck: true,
      };
    }),
  );
  return {
    instanceId: id,
    name: id,
    bootCount: boots,
    vcpu: 4 * pairs.length,
    memoryMib: 1_024,
    gpus: pairs.map((at) => inventory.pairs[at]!.gpu),
    attachments,
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    volumes: [],
    vpcNics: [],
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
    userData: new Uint8Array(),
    sshKeys: [],
  };
}

/** Whether the last pass attests exactly these, and saw nothing else. */
function isExactly(instances: readonly DesiredInstance[]): boolean {
  if (!last?.complete || last.generation !== generation || last.residues.length > 0) return false;
  const wanted = instances.map((i) => `${i.instanceId} ${factsDigest(i)}`).sort();
  const seen = last.instances.map((i) => `${i.instanceId} ${i.facts ? factsDigest(i.facts) : ""}`);
  return seen.sort().join() === wanted.join() && last.instances.every((i) => i.phase === "present");
}

/** What an agent that never heard of it sees on the machine. */
async function footprint() {
  const hardware = open();
  const facts = await hardware.readFacts();
  const onVfio = facts.functions.filter((f) => f.driver === "vfio-pci").map((f) => f.address);
  const names = facts.interfaces.filter((i) =>
    inventory.nics.some((n) => n.pciAddress === i.pciAddress),
  );
  const vfs = await Promise.all(names.map(({ name }) => hardware.readVfs(name)));
  const addressed = vfs.flat().filter((v) => v.vlan !== 0 || !/^(00:?)+$/.test(v.mac));
  return { onVfio, vfs, addressed, guests: await hardware.listGuests() };
}

const A: Wish = { id: "ins-a", pairs: [0], each: 2, boots: 1 };
const B: Wish = { id: "ins-b", pairs: [0, 1], each: 1, boots: 1 };

/** Dies at its `at`-th change: before it, or when it was done but nobody heard. Dead calls fail. */
function mortal(at: number, moment: "before" | "after"): Hardware & { readonly dead: boolean } {
  const hardware = open();
  let changes = 0;
  let dead = false;
  const die = (): never => {
    dead = true;
    throw refuse("unavailable", "killed");
  };
  return new Proxy(hardware as Hardware & { readonly dead: boolean }, {
    get(target, name: keyof Hardware | "dead") {
      if (name === "dead") return dead;
      const method = target[name];
      if (typeof method !== "function") return method;
      return async (...args: never[]) => {
        if (dead) return die();
        const isFatal = CHANGES.test(name) && ++changes === at;
        if (isFatal && moment === "before") return die();
        const answer = await (method as (...all: never[]) => Promise<unknown>)(...args);
        return isFatal ? die() : answer;
      };
    },
  });
}

test.each(["before", "after"] as const)(
  "killed %s any change, it ends the same",
  async (moment) => {
    await start();
    await want([instance(A)]);
    await until("the first", () => isExactly([instance(A)]));
    await want([instance(B)]);
    await until("the second", () => isExactly([instance(B)]));
    const { onVfio, vfs, addressed } = await footprint();
    for (let at = 1, died = true; died; at++) {
      for (const wished of [A, B]) {
        await stop();
        const hardware = mortal(at, moment);
        await start(hardware);
        await want([instance(wished)]);
        await until("death", () => hardware.dead || isExactly([instance(wished)]));
        died = hardware.dead;
        await stop();
        await start();
        await until(`${wished.id} after ${at}`, () => isExactly([instance(wished)]));
      }
      expect(await footprint()).toMatchObject({ onVfio, vfs, addressed });
    }
  },
  60_000,
);

const wishes = fc
  .record({
    ids: fc.shuffledSubarray(["ins-a", "ins-b", "ins-c"], { minLength: 2, maxLength: 2 }),
    pairs: fc.constantFrom<number[][]>([], [[0]], [[1]], [[0], [1]], [[0, 1]], [[1, 0]]),
    each: fc.constantFrom(1, 2, 4),
    boots: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ ids, pairs, each, boots }) =>
    pairs.map((p, i): Wish => ({ id: ids[i]!, pairs: p, each, boots })),
  );

const call = fc.record({
  call: fc.constantFrom(
    "^ip link set",
    " vf 1 ",
    "^ip -j",
    "sriov_numvfs",
    "vfio-pci/bind",
    "vfio-pci/unbind",
    "reset",
    "driver_override",
    "guest start",
    "guest stop",
    "guest list",
    "guest reboot",
    "lldpcli",
  ),
  effect: fc.constantFrom(
    { kind: "fail" as const },
    { kind: "drop" as const },
    { kind: "hang" as const },
    { kind: "half" as const },
    { kind: "delay" as const, ms: 3_000 },
  ),
  times: fc.integer({ min: 1, max: 9 }),
});

const device = fc.record({
  kind: fc.constantFrom("vanish" as const, "dead" as const, "link-down" as const),
  index: fc.integer({ min: 0, max: 3 }),
});

const scene = fc.record({
  wishes,
  calls: fc.array(call, { maxLength: 3 }),
  devices: fc.array(device, { maxLength: 1 }),
  lastsMs: fc.constantFrom(0, 2_000, 40_000, 200_000),
  after: fc.constantFrom("go-on" as const, "restart" as const, "reboot" as const),
});
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

/** Rules of one scene; ids must be its own, since counts go on. */
function rulesOf({ calls, devices }: Scene, name: string): FaultRule[] {
  const { gpus, nics } = inventory;
  const places = [...gpus, ...nics];
  return [
    ...calls.map((c, i) => ({ id: `${name}-${i}`, ...c })),
    ...devices.map(({ kind, index }) => {
      const nic = nics[index % nics.length]!;
      const id = `${name}-device`;
      if (kind === "link-down") return { id, device: nic.pfName, effect: { kind } };
      if (kind === "vanish") return { id, device: places[index]!.pciAddress, effect: { kind } };
      return { id, device: nic.pciAddress.replace(/0$/, "1"), effect: { kind } };
    }),
  ];
}

test("after random states, faults and restarts, observed is desired and nothing else", async () => {
  await start();
  let scenes = 0;
  const play = async (story: readonly Scene[]) => {
    for (const one of story) {
      setFaults(machineDir(), rulesOf(one, `scene-${scenes++}`));
      await want(one.wishes.map(instance));
      await pass(one.lastsMs);
      if (one.after === "go-on") continue;
      await stop();
      if (one.after === "reboot") rebootFakeMachine(machineDir());
      await start();
    }
    setFaults(machineDir(), []);
    const end = (story.at(-1)?.wishes ?? []).map(instance);
    await until("the desired state", () => isExactly(end));
    await want([]);
    await until("nothing", () => isExactly([]));
    expect(await footprint()).toMatchObject({ onVfio: [], addressed: [], guests: [] });
  };
  const seed = Number(process.env.RAILYARD_TEST_SEED ?? Date.now() % 1_000_000);
  console.info(`RAILYARD_TEST_SEED=${seed}`);
  const stories = fc.array(scene, { minLength: 1, maxLength: 4 });
  const limits = { seed, numRuns: 25, interruptAfterTimeLimit: 12_000, endOnFailure: true };
  await fc.assert(fc.asyncProperty(stories, play), limits);
}, 60_000);
