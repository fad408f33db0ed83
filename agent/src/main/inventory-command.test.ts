// Shows what `railyard-agent inventory` prints, of a made-up machine and of the one that runs this.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock, systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeHardware } from "../hardware/fake/fake.js";
import { permanentMac } from "../hardware/fake/places.js";
import { makeDir, put } from "../hardware/fake/tree.js";
import { inventoryCommand } from "./inventory-command.js";

let dir: string;
let root: string;
const run = (...args: string[]) => inventoryCommand(["--root", root, ...args], systemClock());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-inventory-"));
  root = join(dir, "root");
  const clock = new ManualClock();
  createFakeHardware({ dir, model: "mini-2gpu", serial: "GH7", cabling: [], clock });
});
afterEach(() => rmSync(dir, { recursive: true }));

test("the table shows each section, with names from the machine's own list", async () => {
  makeDir(root, "/usr/share/misc");
  put(root, "/usr/share/misc/pci.ids", "10de  NVIDIA Corporation\n\t2330  GH100 [H100 SXM5]");
  const text = await run();
  for (const title of ["HOST", "PCI", "GPUS", "NICS", "PAIRS AND RAILS", "WARNINGS"]) {
    expect(text).toMatch(new RegExp(`^${title}$`, "m"));
  }
  expect(text).toContain("NVIDIA Corporation GH100 [H100 SXM5]");
  expect(text).toContain(`nic-${permanentMac("GH7", 0, 0).replaceAll(":", "")}`);
});

test("the tree hangs each GPU and NIC below the bridges of its switch", async () => {
  const lines = (await run()).split("\n").map((line) => line.slice(2));
  const depth = (address: string) => {
    const line = lines.find((one) => one.includes(`${address}  `))!;
    return line.indexOf(address) / 3;
  };
  // Root port, upper switch (two bridges), lower switch (two bridges), function.
  expect(
    ["10:01.0", "11:00.0", "12:00.0", "14:00.0", "15:00.0", "16:00.0"].map((at) =>
      depth(`0000:${at}`),
    ),
  ).toEqual([0, 1, 2, 3, 4, 5]);
});

test("without a switch on its cables a NIC's rail is a guess, and that is told", async () => {
  const text = await run();
  expect(text).toContain("no cable seen, slot order 0");
  expect(text).toContain("rail-by-address");
});

test("JSON holds the inventory and the facts that it came from", async () => {
  const { inventory, functions, rails } = JSON.parse(await run("-o", "json"));
  expect(inventory).toMatchObject({ serial: "GH7", vcpu: 32 });
  expect([inventory.gpus.length, rails.length]).toEqual([2, 2]);
  expect(functions.length).toBeGreaterThan(4);
});

test("other devices can be taken for GPUs", async () => {
  const { inventory } = JSON.parse(await run("-o", "json", "--gpu", "144d:a80a"));
  expect(inventory.gpus.map((gpu: { pciId: string }) => gpu.pciId)).toEqual([
    "144d:a80a",
    "144d:a80a",
  ]);
});

test.each([
  [["-o", "xml"], /table or json/],
  [["--gpu", "10de; rm -rf /"], /vendor:device/],
  [["--nonsense"], /nonsense/],
])("the arguments %j are refused", async (args, complaint) => {
  await expect(run(...args)).rejects.toThrow(complaint);
});

test("the machine that runs this test can be looked at without rights or settings", async () => {
  const { host, inventory } = JSON.parse(await inventoryCommand(["-o", "json"], systemClock()));
  expect(host.kernel).not.toBe("");
  expect(inventory.vcpu).toBeGreaterThan(0);
  expect(inventory.memoryMib).toBeGreaterThan(0);
});
