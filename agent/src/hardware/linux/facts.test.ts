// What is made of a Fabric Manager that nobody can speak to, on a made-up machine that has one, and
// what is remembered of a NIC only for as long as it stays in its place.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { inventoryOf } from "../../inventory.js";
import { observe } from "../../reconcile/observe.js";
import { createFakeHardware } from "../fake/fake.js";
import { pretendGuests } from "../fake/guests.js";
import { pretendKernel } from "../fake/kernel.js";
import { machineIn } from "../fake/machine.js";
import { vitalProductData } from "../fake/nic.js";
import { netdevName, nicAddress } from "../fake/places.js";
import { directoryOf, NET, put, putBytes } from "../fake/tree.js";
import { createLinuxHardware } from "./linux.js";
import { missingTool, type Outside } from "./outside.js";
import { PCI_DEVICES } from "./sysfs.js";

const clock = new ManualClock();
let dir: string;
let installed: boolean;
/** What `ip` says is the hardware's own address of any interface. */
let permanent: string | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-facts-"));
  installed = true;
  permanent = undefined;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function hardware() {
  createFakeHardware({ dir, model: "mini-2gpu-nvswitch", serial: "S1", cabling: [], clock });
  const machine = machineIn(dir);
  const kernel = pretendKernel(machine, clock);
  const outside: Outside = {
    ...kernel,
    async exec(tool, args, deadlineMs) {
      if (tool === "fmpm" && !installed) throw missingTool(tool);
      if (tool === "ip" && permanent) return JSON.stringify([{ permaddr: permanent }]);
      return kernel.exec(tool, args, deadlineMs);
    },
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

test("a kernel that does not tell of interfaces is waited for until the deadline", async () => {
  const machine = hardware();
  const carrier = join(machineIn(dir).root, NET, "lo/carrier");
  mkdirSync(join(carrier, ".."));
  // Whoever opens it waits until somebody else does.
  execFileSync("/usr/bin/mkfifo", [carrier]);
  const outcome = machine.readFacts().catch(asRailyardError);
  await clock.advance(10_000);
  expect(await outcome).toMatchObject({ code: "deadline" });
  const again = await machine.readFacts().catch(asRailyardError);
  expect(again).toMatchObject({ code: "deadline", message: expect.stringMatching(/still hangs/) });
  const writer = openSync(carrier, "w");
  rmSync(carrier);
  closeSync(writer);
  await vi.waitFor(() => machine.readFacts(), 30_000);
});

test("another NIC in a place has its own serial and addresses, not those of the last", async () => {
  const machine = hardware();
  const { root } = machineIn(dir);
  const [address, port] = [nicAddress(0), netdevName(nicAddress(0), 0)];
  const vpd = `${directoryOf(root, address)}/vpd`;
  const seen = async () => {
    const { boardSerials, interfaces } = await machine.readFacts();
    const own = interfaces.find(({ pciAddress }) => pciAddress === address);
    return [boardSerials[address], own?.permanentMac];
  };
  put(root, `${NET}/${port}/addr_assign_type`, "3");
  putBytes(root, vpd, vitalProductData("BOARD-1"));
  permanent = "b8:00:00:00:00:01";
  expect(await seen()).toEqual(["BOARD-1", permanent]);
  putBytes(root, vpd, vitalProductData("BOARD-2"));
  permanent = "b8:00:00:00:00:02";
  expect(await seen()).toEqual(["BOARD-1", "b8:00:00:00:00:01"]);
  const place = join(root, PCI_DEVICES, address);
  const target = readlinkSync(place);
  rmSync(place);
  symlinkSync(target, place);
  expect(await seen()).toEqual(["BOARD-2", permanent]);
});
