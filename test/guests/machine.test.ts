// The machine that these tests run on, as the agent puts it together.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMachine, type MachineOptions } from "@railyard/agent/hardware/linux/machine";
import { smallSpec } from "@railyard/agent/hardware/linux/qemu/sample";
import { qemuArguments } from "@railyard/agent/layout/qemu";
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ryg-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function options(change: Partial<MachineOptions> = {}): MachineOptions {
  return {
    clock: systemClock(),
    dataDir: dir,
    guestsDir: join(dir, "guests"),
    volumesDir: join(dir, "volumes"),
    accelerator: "kvm",
    vpcBridge: "ry-test",
    guestUser: "",
    secretPaths: [],
    iommu: "strict",
    layoutArguments: qemuArguments,
    ...change,
  };
}

test("this machine is read as it is, with what it lacks said", async () => {
  const hardware = createMachine(options());
  const facts = await hardware.readFacts();
  expect(hardware.fake).toBe(false);
  expect(facts.cpus).toBeGreaterThan(0);
  expect(await hardware.listGuests()).toEqual([]);
  const kinds = facts.oddities.map((o) => o.kind);
  expect(kinds.includes("no-kvm")).toBe(!existsSync("/dev/kvm"));
  expect(kinds.includes("no-qemu")).toBe(!existsSync("/usr/bin/qemu-system-x86_64"));
});

test("a directory too deep for sockets is refused before anything is made", () => {
  const guestsDir = join(dir, "d".repeat(60));
  expect(() => createMachine(options({ guestsDir }))).toThrow(/is too deep/);
  expect(existsSync(guestsDir)).toBe(false);
});

test.each(["guests", "volumes"])("%s that have gone are not taken for none", (name) => {
  createMachine(options());
  rmSync(join(dir, name), { recursive: true });
  expect(() => createMachine(options())).toThrow(`${join(dir, name)} is not the folder`);
});

test.each(["guests", "volumes"])("while %s have gone, none counts as there", async (name) => {
  const { listGuests, startGuest, stopGuest } = createMachine(options());
  const path = join(dir, name);
  renameSync(path, `${path}.away`);
  mkdirSync(path);
  const isUsed = `${path} is not the folder that is used; is its file system mounted?`;
  await expect(listGuests()).rejects.toThrow(isUsed);
  // Its image is looked at first.
  if (existsSync("/usr/bin/qemu-img")) {
    await expect(startGuest(smallSpec(dir))).rejects.toThrow(isUsed);
  }
  await expect(stopGuest("ins-1")).rejects.toThrow(isUsed);
  expect(readdirSync(path)).toEqual([]);
  rmSync(path, { recursive: true });
  await expect(listGuests()).rejects.toThrow(isUsed);
  renameSync(`${path}.away`, path);
  expect(await listGuests()).toEqual([]);
});

test.runIf(process.getuid?.() === 0)("an account needs a way to its guests", () => {
  const nobody = options({ guestUser: "nobody" });
  expect(() => createMachine(nobody)).toThrow(`nobody cannot get through ${dir}`);
  chmodSync(dir, 0o711);
  createMachine(nobody);
});

test("an account that is not known is refused", () => {
  expect(() => createMachine(options({ guestUser: "no-such" }))).toThrow(/no-such is not known/);
});

test.each(["nobody\nUser=root", "a b", "-x", "no:body", "../x", "$(id)"])(
  "%j is no name of an account, and reaches no tool",
  (guestUser) => {
    expect(() => createMachine(options({ guestUser }))).toThrow(/must be the name of an account/);
  },
);

test("a secret that no unit could hide is refused at the start", () => {
  const secretPaths = ["/etc/my keys/node.json"];
  expect(() => createMachine(options({ secretPaths }))).toThrow(/my keys/);
});

test("rails without sr-iov stand beside the machine's own devices", async () => {
  const rails = [{ uplink: "lo", leaf: "leaf-a", speedGbps: 100 }];
  const overlay = { serial: "LAB-1", vfs: 4, rails };
  const hardware = createMachine(options({ overlay }));
  const [gpu, nic] = ["fa00:00:04.0", "fa00:00:05.0"];
  const before = await hardware.readFacts();
  expect(before.serial).toBe("LAB-1");
  expect(before.interfaces.at(-1)).toMatchObject({ name: "lo", pciAddress: nic });
  const drivers = async () => {
    const { functions } = await createMachine(options({ overlay })).readFacts();
    return functions.find((fn) => fn.address === gpu)?.driver;
  };
  expect(await drivers()).toBe("");
  await hardware.bindVfio(gpu);
  expect(await drivers()).toBe("vfio-pci");
  await hardware.unbindVfio(gpu);
  expect(await drivers()).toBe("");
});

test("a rail that cannot be is refused by name", () => {
  const rails = [{ uplink: "rail0 up", leaf: "leaf-a", speedGbps: 100 }];
  const overlay = { serial: "LAB-1", vfs: 4, rails };
  expect(() => createMachine(options({ overlay }))).toThrow(/uplink/);
});
