// Tests of what is read anew with each look at a bus, and what only once, on a made-up machine.
import { mkdtempSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFakeHardware } from "../fake/fake.js";
import { machineIn } from "../fake/machine.js";
import { nicAddress } from "../fake/places.js";
import { directoryOf, put, removeFunction } from "../fake/tree.js";
import type { Hardware } from "../hardware.js";
import * as attributes from "./attributes.js";
import { type Bus, busReader } from "./bus.js";
import { PCI_DEVICES } from "./sysfs.js";

vi.mock(import("./attributes.js"), { spy: true });

const PF = nicAddress(0);
const VFS = 4;

let dir: string;
let root: string;
let hardware: Hardware;
let read: () => Bus;
let vf: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "railyard-bus-"));
  const clock = new ManualClock();
  const options = { dir, model: "mini-2gpu", serial: "S1", cabling: [], clock };
  hardware = createFakeHardware(options);
  ({ root } = machineIn(dir));
  await hardware.setVfCount(PF, VFS);
  read = busReader(root);
  vf = of(PF)?.vfs[0] ?? "";
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function of(address: string) {
  return read().functions.find((fn) => fn.address === address);
}

function attribute(address: string, name: string): string {
  return `${directoryOf(root, address)}/${name}`;
}

test("a second look at the same machine sees the same", () => {
  expect(read()).toEqual(read());
  expect(read()).toEqual(busReader(root)());
});

test("what a VF is, is read once; its driver with every look", async () => {
  const before = of(vf);
  vi.mocked(attributes.readText).mockClear();
  expect(of(vf)).toEqual(before);
  const asked = vi.mocked(attributes.readText).mock.calls.map(([path]) => path);
  expect(asked.filter((path) => path.includes(vf))).toEqual([]);
  await hardware.bindVfio(vf);
  expect(of(vf)).toEqual({ ...before, driver: "vfio-pci" });
  await hardware.unbindVfio(vf);
  expect(of(vf)?.driver).toBe("");
});

test("what physical functions tell of their links and numbers is read with every look", () => {
  put(root, attribute(PF, "current_link_width"), "4");
  put(root, attribute(PF, "max_link_width"), "8");
  put(root, attribute(PF, "numa_node"), "1");
  expect(of(PF)).toMatchObject({ linkWidth: 4, linkMax: { width: 8 }, numa: 1 });
  put(root, attribute(PF, "sriov_numvfs"), "0");
  expect(of(PF)).toMatchObject({ vfCount: 0, vfs: { length: VFS } });
});

test("another device in a place is read anew, even between two looks", async () => {
  expect(of(vf)?.device).not.toBe("beef");
  await hardware.setVfCount(PF, 0);
  expect(of(vf)).toBeUndefined();
  await hardware.setVfCount(PF, VFS);
  expect(of(vf)?.pf).toBe(PF);
  await hardware.setVfCount(PF, 0);
  await hardware.setVfCount(PF, VFS);
  put(root, attribute(vf, "device"), "0xbeef");
  expect(of(vf)?.device).toBe("beef");
});

test("a VF that was seen before its link to its PF stood is its PF's at the next look", () => {
  const physfn = join(root, attribute(vf, "physfn"));
  const target = readlinkSync(physfn);
  rmSync(physfn);
  const early = busReader(root);
  const seen = () => early().functions.find(({ address }) => address === vf);
  expect(seen()?.pf).toBeUndefined();
  symlinkSync(target, physfn);
  expect(seen()?.pf).toBe(PF);
});

test("a function that is gone is no oddity, one without a class is", () => {
  removeFunction(root, directoryOf(root, vf));
  expect(read().oddities).toEqual([]);
  rmSync(join(root, attribute(PF, "class")));
  const fresh = busReader(root)();
  expect(fresh.oddities).toMatchObject([{ kind: "unreadable-attribute", pciAddress: PF }]);
  expect(fresh.functions.some(({ address }) => address === PF)).toBe(false);
  expect(join(root, PCI_DEVICES)).toContain(dir);
});
