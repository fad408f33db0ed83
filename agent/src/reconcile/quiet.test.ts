// Tests of what is reported of a made-up machine on which nothing happens, and once something does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFakeHardware } from "../hardware/fake/fake.js";
import { machineIn } from "../hardware/fake/machine.js";
import { netdevName, nicAddress } from "../hardware/fake/places.js";
import { NET, put } from "../hardware/fake/tree.js";
import { inventoryOf } from "../inventory.js";
import { openLedger } from "../ledger.js";
import type { PassReport } from "../model.js";
import { Reconciler } from "./reconcile.js";

let dir: string;
let reconciler: Reconciler;
let passes: PassReport[];
let fails: boolean;
let hidesGuests: boolean;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "railyard-quiet-"));
  const clock = new ManualClock();
  const made = createFakeHardware({ dir, model: "mini-2gpu", serial: "S1", cabling: [], clock });
  passes = [];
  fails = false;
  hidesGuests = false;
  const listGuests = async () => {
    if (hidesGuests) throw refuse("unavailable", "no guest can be read");
    return made.listGuests();
  };
  const readFacts = async () => {
    if (fails) throw refuse("unavailable", "nothing can be read");
    return made.readFacts();
  };
  reconciler = new Reconciler({
    hardware: { ...made, listGuests, readFacts },
    readInventory: inventoryOf,
    ledger: await openLedger({
      directory: dir,
      ...{ serial: "S1", bootId: "b", nodeId: "node-1", session: "ses-1" },
      decode: () => {
        throw refuse("invalid", "nothing was ever accepted");
      },
      failpoint: () => undefined,
    }),
    ...{ clock, rng: seededRng("quiet"), log: silentLog(), sweepMs: 10_000 },
    onPass: (pass) => passes.push(pass),
    failpoint: () => undefined,
  });
  reconciler.start();
});
afterEach(async () => {
  await reconciler.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** The report of one more pass. */
async function next(): Promise<PassReport> {
  const before = passes.length;
  reconciler.nudge();
  await vi.waitFor(() => expect(passes.length).toBeGreaterThan(before));
  await vi.waitFor(() => expect(reconciler.report().runs).toBeGreaterThanOrEqual(passes.length));
  return passes.at(-1) as PassReport;
}

test("a machine that stays as it is has one report, another once a link went down", async () => {
  await next();
  const quiet = await next();
  expect(await next()).toBe(quiet);
  const { root } = machineIn(dir);
  put(root, `${NET}/${netdevName(nicAddress(0), 0)}/carrier`, "0");
  const changed = await next();
  expect(changed).not.toBe(quiet);
  expect(changed.inventory.nics.some(({ ports }) => ports.some(({ up }) => !up))).toBe(true);
});

test("what could not be read for a while is told in full again", async () => {
  await next();
  const quiet = await next();
  fails = true;
  const message = "the machine could not be read: nothing can be read";
  const unread = { kind: "unread", deviceId: "", message };
  expect(await next()).toMatchObject({ complete: false, inventory: { warnings: [unread] } });
  fails = false;
  expect(await next()).toEqual(quiet);
});

test("a machine that was read in part, and then not at all, is told to be unread", async () => {
  await next();
  hidesGuests = true;
  await next();
  fails = true;
  const message = "the machine could not be read: nothing can be read";
  const unread = { kind: "unread", deviceId: "", message };
  expect((await next()).inventory.warnings).toEqual([unread]);
});
