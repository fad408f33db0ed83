// Which IOMMU groups may be taken apart, on a made-up tree.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outside } from "./outside.js";
import { bindVfio, unbindVfio } from "./vfio.js";

const VF = "0000:3b:00.2";
const PF = "0000:3b:00.0";
const OTHER = "0000:3b:00.3";
const GROUP = "/sys/kernel/iommu_groups/7";
let root: string;
let written: string[];
let outside: Outside;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "vfio-"));
  written = [];
  outside = {
    root,
    async write(path, value) {
      written.push(`${path} ${value}`);
      if (path.endsWith("/bind")) driveWith(value, "vfio-pci");
    },
    exec: async () => "",
  };
  for (const address of [PF, VF, OTHER]) addFunction(address, "0x020000");
  addFunction("0000:3a:00.0", "0x060400");
  symlinkSync(`../../../devices/${PF}`, join(root, "/sys/bus/pci/devices", VF, "physfn"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function addFunction(address: string, classCode: string): void {
  const dir = join(root, "/sys/devices", address);
  mkdirSync(dir, { recursive: true });
  mkdirSync(join(root, "/sys/bus/pci/devices"), { recursive: true });
  symlinkSync(`../../../devices/${address}`, join(root, "/sys/bus/pci/devices", address));
  writeFileSync(join(dir, "class"), classCode);
  writeFileSync(join(dir, "reset"), "");
}

function driveWith(address: string, driver: string): void {
  const dir = join(root, "/sys/bus/pci/drivers", driver);
  mkdirSync(dir, { recursive: true });
  symlinkSync(dir, join(root, "/sys/bus/pci/devices", address, "driver"));
}

function group(...addresses: string[]): void {
  const dir = join(root, GROUP, "devices");
  mkdirSync(dir, { recursive: true });
  for (const address of addresses) {
    symlinkSync(join(root, "/sys/devices", address), join(dir, address));
    symlinkSync(join(root, GROUP), join(root, "/sys/devices", address, "iommu_group"));
  }
}

test("bridges and the physical function may share the group", async () => {
  group(VF, PF, "0000:3a:00.0");
  await bindVfio(outside, VF, { deadlineMs: 1_000, iommu: "strict" });
  expect(written.at(-1)).toBe(`/sys/bus/pci/drivers/vfio-pci/bind ${VF}`);
});

test("a group is not split, unless the machine's groups are declared as shared", async () => {
  group(VF, OTHER);
  const strict = bindVfio(outside, VF, { deadlineMs: 1_000, iommu: "strict" });
  await expect(strict).rejects.toThrow(`shares its iommu group with ${OTHER}`);
  expect(written).toEqual([]);
  await bindVfio(outside, VF, { deadlineMs: 1_000, iommu: "shared" });
  expect(written).not.toEqual([]);
});

test("a function is not taken back while nobody can tell whether its group is in use", async () => {
  group(VF);
  driveWith(VF, "vfio-pci");
  const node = join(root, "/dev/vfio/7");
  mkdirSync(join(root, "/dev/vfio"), { recursive: true });
  // Opens for nobody, as a node that the agent's own unit does not let it at.
  symlinkSync(node, node);
  await expect(unbindVfio(outside, VF, 1_000)).rejects.toThrow("whether iommu group 7");
  expect(written).toEqual([]);
});

test("a function that cannot be reset is neither given nor taken back as clean", async () => {
  group(VF);
  const reset = join(root, "/sys/devices", VF, "reset");
  rmSync(reset);
  const why = `pci function ${VF} cannot be reset: the kernel knows no way to`;
  const given = bindVfio(outside, VF, { deadlineMs: 1_000, iommu: "strict" });
  await expect(given).rejects.toThrow(why);
  driveWith(VF, "vfio-pci");
  await expect(unbindVfio(outside, VF, 1_000)).rejects.toThrow(why);
  expect(written).toEqual([]);
});
