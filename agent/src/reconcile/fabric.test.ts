// Tests of whole passes over a made-up fabric: what is told, what is read back, what is left alone.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFakeSubnetManager, readFabric, writeFabric } from "../hardware/fake/fabric.js";
import { type Ledger, openLedger } from "../ledger.js";
import type { DesiredPartition } from "../model/fabric.js";
import type { Inventory, PassReport, SignedDesired } from "../model.js";
import { FabricReconciler } from "./fabric.js";

const [a, b, c] = ["02005e0101000001", "02005e0101000002", "02005e0102000001"];
const clock = systemClock();

let dir: string;
let ledger: Ledger;
let passes: PassReport[];
let reconciler: FabricReconciler;
let wanted: readonly DesiredPartition[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "fabric-"));
  passes = [];
  const decode = ({ epoch, generation }: SignedDesired) => {
    return { epoch, generation, vfsPerNic: 0, instances: [], faults: [], partitions: wanted };
  };
  const whose = { serial: "S1", bootId: "b", nodeId: "node-1", session: "ses-1" };
  const failpoint = () => undefined;
  ledger = await openLedger({ directory: join(dir, "ledger"), ...whose, decode, failpoint });
  reconciler = open();
});
afterEach(async () => {
  await reconciler.stop();
  rmSync(dir, { recursive: true, force: true });
});

function fabric() {
  return join(dir, "fabric");
}

function open(): FabricReconciler {
  return new FabricReconciler({
    subnetManager: createFakeSubnetManager(fabric()),
    readInventory: async () => ({ warnings: [] }) as unknown as Inventory,
    ledger,
    clock,
    rng: seededRng("fabric"),
    log: silentLog(),
    sweepMs: 50,
    onPass: (pass) => void passes.push(pass),
  });
}

async function want(generation: number, ...partitions: DesiredPartition[]) {
  wanted = partitions;
  const where = { nodeId: "node-1", session: "ses-1", epoch: 1n, generation: BigInt(generation) };
  const signed = { ...where, body: Buffer.from(`${generation}`), signature: Buffer.from("") };
  const as = { vfsPerNic: 0, instances: [], faults: [], partitions };
  await ledger.accept(signed, { epoch: 1n, generation: where.generation, ...as });
  reconciler.nudge();
}

function told(generation: number, seen: object[], complete = true) {
  return vi.waitFor(() =>
    expect(passes.at(-1)).toMatchObject({
      generation: BigInt(generation),
      partitions: seen,
      complete,
    }),
  );
}

test("partitions are told, read back from the ports, and gone when no longer desired", async () => {
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a, b] }, { pkey: 0x102, members: [c] });
  await told(1, [
    { pkey: 0x101, members: [a, b], others: [], reason: "" },
    { pkey: 0x102, members: [c], others: [], reason: "" },
  ]);
  await vi.waitFor(() => expect(ledger.appliedGeneration).toBe(1n));
  await want(2, { pkey: 0x101, members: [b] });
  await told(2, [{ pkey: 0x101, members: [b], others: [], reason: "" }]);
  expect(readFabric(fabric()).ports[a]).toEqual([0x7fff]);
});

test("before anything was ever accepted the fabric is read and left alone", async () => {
  writeFabric(fabric(), { ports: { [a]: [0x7fff, 0x8101] }, out: [], deaf: false });
  reconciler.start();
  await told(0, [{ pkey: 0x101, members: [a] }]);
  expect(readFabric(fabric()).ports[a]).toEqual([0x7fff, 0x8101]);
});

test("what was told is not believed: a subnet manager that did nothing is caught", async () => {
  writeFabric(fabric(), { ports: { [a]: [0x7fff] }, out: [], deaf: true });
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a] });
  const amiss = [{ pkey: 0x101, members: [], reason: expect.stringContaining("1 port(s)") }];
  await vi.waitFor(() => expect(passes.at(-1)?.partitions).toMatchObject(amiss));
  expect(ledger.appliedGeneration).toBe(0n);
  writeFabric(fabric(), { ...readFabric(fabric()), deaf: false });
  await told(1, [{ pkey: 0x101, members: [a], reason: "" }]);
});

test("a member that is not on the fabric is reported as such until its port comes up", async () => {
  writeFabric(fabric(), { ports: {}, out: [a], deaf: false });
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a, b] });
  await told(1, [{ members: [b], reason: "1 member(s) are not on the fabric yet" }]);
  expect(ledger.appliedGeneration).toBe(0n);
  writeFabric(fabric(), { ...readFabric(fabric()), out: [] });
  await told(1, [{ members: [a, b], reason: "" }]);
});

test("a port that somebody else put into a partition is thrown out again", async () => {
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a] });
  await told(1, [{ members: [a], reason: "" }]);
  const { ports } = readFabric(fabric());
  writeFabric(fabric(), { ports: { ...ports, [c]: [0x7fff, 0x8101] }, out: [], deaf: false });
  await vi.waitFor(() => expect(readFabric(fabric()).ports[c]).toEqual([0x7fff]));
});

test("a partition file that others changed is written again", async () => {
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a] });
  await told(1, [{ members: [a], reason: "" }]);
  const path = join(fabric(), "partitions.conf");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, "Default=0x7fff : ALL=full ;\n");
  await vi.waitFor(() => expect(readFileSync(path, "utf8")).toBe(text));
});

test("a session that may not act tells what it reads and changes nothing", async () => {
  reconciler.setActing(false);
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a] });
  await told(1, [{ members: [], reason: "1 member(s) are not on the fabric yet" }]);
  expect(readFabric(fabric()).ports).toEqual({});
  reconciler.setActing(true);
  await told(1, [{ members: [a], reason: "" }]);
});

test("while the subnet manager does not run, everything stays and says why", async () => {
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a] });
  await told(1, [{ members: [a], reason: "" }]);
  writeFileSync(join(fabric(), "opensm.pid"), "1\n");
  await want(2, { pkey: 0x101, members: [b] });
  const message = expect.stringMatching(/opensm does not run/);
  await told(2, [{ members: [a], reason: message }]);
  expect(passes.at(-1)?.inventory.warnings).toMatchObject([{ kind: "partition-astray", message }]);
  expect(ledger.appliedGeneration).toBe(1n);
});

test("a fabric that cannot be read is told as such, and nothing that was read before", async () => {
  reconciler.start();
  await want(1, { pkey: 0x101, members: [a] });
  await told(1, [{ members: [a], reason: "" }]);
  expect(passes.at(-1)?.inventory.warnings).toEqual([]);
  const [path, text] = [join(fabric(), "fabric.json"), JSON.stringify(readFabric(fabric()))];
  writeFileSync(path, "no fabric");
  await told(1, [], false);
  const warning = { kind: "fabric-unread", deviceId: "", message: expect.stringContaining(":") };
  expect(passes.at(-1)?.inventory.warnings).toEqual([warning]);
  writeFileSync(path, text);
  await told(1, [{ members: [a], reason: "" }]);
  expect(passes.at(-1)?.inventory.warnings).toEqual([warning]);
});
