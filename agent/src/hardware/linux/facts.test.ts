// What is made of a Fabric Manager that nobody can speak to, on a made-up machine that has one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inventoryOf } from "../../inventory.js";
import { observe } from "../../reconcile/observe.js";
import { createFakeHardware } from "../fake/fake.js";
import { pretendGuests } from "../fake/guests.js";
import { pretendKernel } from "../fake/kernel.js";
import { machineIn } from "../fake/machine.js";
import { createLinuxHardware } from "./linux.js";
import { missingTool, type Outside } from "./outside.js";

const clock = new ManualClock();
let dir: string;
let installed: boolean;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-facts-"));
  installed = true;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function hardware() {
  createFakeHardware({ dir, model: "mini-2gpu-nvswitch", serial: "S1", cabling: [], clock });
  const machine = machineIn(dir);
  const kernel = pretendKernel(machine, clock);
  const outside: Outside = {
    ...kernel,
    exec: (tool, ...rest) =>
      tool === "fmpm" && !installed
        ? Promise.reject(missingTool(tool))
        : kernel.exec(tool, ...rest),
  };
  const guests = pretendGuests(machine, clock, 0);
  return createLinuxHardware({ outside, guests, clock, fake: true });
}

async function look(machine: ReturnType<typeof hardware>) {
  const { inventory, observed } = await observe(machine, inventoryOf);
  const kinds = inventory.warnings.map(({ kind }) => kind);
  return { inventory, kinds, problems: observed.problems.map(({ deviceId }) => deviceId) };
}

test("without fmpm a machine is read in full, as one that cannot be divided", async () => {
  installed = false;
  const { inventory, kinds, problems } = await look(hardware());
  expect(problems).toEqual([]);
  expect(inventory.fabricManager).toBe(false);
  expect(kinds).toContain("no-fmpm");
  expect(inventory.warnings.find(({ kind }) => kind === "no-fmpm")?.message).toMatch(/all GPUs/);
});

test("with fmpm there are partitions, and once it is gone nobody knows of them", async () => {
  const machine = hardware();
  const before = await look(machine);
  expect(before.inventory.fabricManager).toBe(true);
  expect(before.inventory.partitions).toHaveLength(3);
  expect(before.kinds).not.toContain("no-fmpm");
  installed = false;
  const after = await look(machine);
  expect(after.problems).toEqual(["nvswitches"]);
  expect(after.kinds).toContain("partitions-unread");
});
