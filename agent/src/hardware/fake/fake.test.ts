// Shows the made-up machine's own behaviour: what it keeps, the kernel's quirks, and every kind of
// fault.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock, settle } from "@railyard/lib/clock";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestSpec } from "../../model.js";
import type { Hardware } from "../hardware.js";
import { createFakeHardware, rebootFakeMachine } from "./fake.js";
import { type FaultRule, firedFaults, setFaults } from "./faults.js";
import { pretendKernel } from "./kernel.js";
import { machineIn, readIdentity, writeIdentity } from "./machine.js";
import { netdevName, nicAddress } from "./places.js";

const PF = nicAddress(0);
const NAME = netdevName(PF, 0);
const VF0 = PF.replace(/0$/, "1");
const CABLING = [
  ["leaf-1", "leaf-2"],
  ["leaf-3", ""],
];
const NO_MAC = "00:00:00:00:00:00";
const SET = { mac: "02:00:00:00:00:05", vlan: 101, rateMbps: 1000, spoofCheck: true };

let dir: string;
let clock: ManualClock;
let hardware: Hardware;
const open = (serial = "S1") =>
  createFakeHardware({ dir, model: "mini-2gpu", serial, cabling: CABLING, clock, bootMs: 100 });

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-fake-"));
  clock = new ManualClock();
  hardware = open();
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("the directory is the machine", () => {
  test("another serial or model does not move into a machine's directory", () => {
    expect(() => open("S2")).toThrow(expect.objectContaining({ code: "precondition" }));
  });

  test("an unknown model is refused", () => {
    const options = { dir: `${dir}/new`, model: "abacus", serial: "S1", cabling: [], clock };
    expect(() => createFakeHardware(options)).toThrow(expect.objectContaining({ code: "invalid" }));
  });

  test("a machine that was cut off in the making is made again", async () => {
    const facts = await hardware.readFacts();
    rmSync(join(dir, "machine.json"));
    rmSync(join(dir, "root", "proc"), { recursive: true });
    expect(await open().readFacts()).toEqual(facts);
  });

  test("VFs half made when the process was killed are gone at the next start", async () => {
    await hardware.setVfCount(PF, 4);
    rmSync(join(dir, "root/sys/bus/pci/devices", PF, "virtfn2"));
    const again = open();
    expect((await again.readFacts()).functions.filter((fn) => fn.pf)).toEqual([]);
    await again.setVfCount(PF, 4);
    expect(await again.readVfs(NAME)).toHaveLength(4);
  });

  test("a reboot gives a new boot id and leaves no guests, VFs or bindings", async () => {
    const before = await hardware.readFacts();
    await guestWithVf();
    rebootFakeMachine(dir);
    const after = await hardware.readFacts();
    expect(after.bootId).not.toBe(before.bootId);
    expect(after).toEqual({ ...before, bootId: after.bootId });
    expect(await hardware.listGuests()).toEqual([]);
  });

  test("a moved cable is seen, a loose one is not", async () => {
    const ports = async () => (await hardware.readFacts()).interfaces.map((i) => i.ports);
    const seen = (a: string, b: string) => [
      { port: 0, neighbour: a, up: true },
      { port: 1, neighbour: b, up: true },
    ];
    expect(await ports()).toContainEqual(seen("leaf-3", ""));
    const machine = machineIn(dir);
    writeIdentity(machine, { ...readIdentity(machine)!, cabling: [["leaf-3", "leaf-2"]] });
    expect(await ports()).toContainEqual(seen("leaf-3", "leaf-2"));
    expect(await ports()).toContainEqual(seen("", ""));
  });
});

test("a VF that was left with its link held says so until it is set back", async () => {
  await hardware.setVfCount(PF, 1);
  const ip = (...args: string[]) => pretendKernel(machineIn(dir), clock).exec("ip", args, 1000);
  await ip("link", "set", "dev", NAME, "vf", "0", "state", "disable", "min_tx_rate", "10");
  const [left] = await hardware.readVfs(NAME);
  expect(left?.astray).toEqual(["state", "min-rate"]);
  await hardware.configureVf(NAME, 0, { ...SET, ...(left?.astray && { astray: left.astray }) });
  expect(await hardware.readVfs(NAME)).toEqual([{ vf: 0, ...SET }]);
});

describe("the pretended kernel", () => {
  const write = (path: string, value: string) =>
    pretendKernel(machineIn(dir), clock).write(path, value, 1000);
  const device = `/sys/bus/pci/devices/${PF}`;
  const refused = (errno: string) => ({ parts: { detail: { errno } } });

  test("answers EBUSY to a change from one number of VFs to another", async () => {
    await write(`${device}/sriov_numvfs`, "4");
    await expect(write(`${device}/sriov_numvfs`, "8")).rejects.toMatchObject(refused("EBUSY"));
  });

  test("refuses a second driver, a driver without override, and unknown attributes", async () => {
    const bind = "/sys/bus/pci/drivers/vfio-pci/bind";
    await expect(write(bind, PF)).rejects.toMatchObject(refused("EBUSY"));
    await hardware.setVfCount(PF, 1);
    await expect(write(bind, VF0)).rejects.toMatchObject(refused("ENODEV"));
    await expect(write(`${device}/class`, "1")).rejects.toMatchObject(refused("EACCES"));
    await expect(write("/sys/bus/pci/devices/../reset", "1")).rejects.toMatchObject(
      refused("ENODEV"),
    );
    await expect(write("/etc/passwd", "1")).rejects.toMatchObject(refused("ENODEV"));
  });

  test("binds its own driver to new VFs unless probing is off", async () => {
    await write(`${device}/sriov_numvfs`, "1");
    const vf = (await hardware.readFacts()).functions.find((fn) => fn.address === VF0);
    expect(vf?.driver).toBe("mlx5_core");
  });

  test("takes no VF away from a running guest", async () => {
    await guestWithVf();
    await expect(hardware.setVfCount(PF, 0)).rejects.toMatchObject({ code: "unavailable" });
    await expectDeadline(hardware.unbindVfio(VF0));
    expect((await hardware.listGuests())[0]!.functions[0]!.hostAddress).toBe(VF0);
  });

  test("a PF moves from its own driver to vfio-pci", async () => {
    await hardware.bindVfio(PF);
    const pf = (await hardware.readFacts()).functions.find((fn) => fn.address === PF);
    expect(pf?.driver).toBe("vfio-pci");
  });
});

describe("faults", () => {
  beforeEach(() => hardware.setVfCount(PF, 4));

  test("a dropped setting is said to be done and is not", async () => {
    setFaults(dir, [{ id: "d", call: " vf 1 ", effect: { kind: "drop" }, times: 1 }]);
    await hardware.configureVf(NAME, 0, SET);
    await hardware.configureVf(NAME, 1, SET);
    const macs = (await hardware.readVfs(NAME)).map((vf) => vf.mac);
    expect(macs).toEqual([SET.mac, NO_MAC, NO_MAC, NO_MAC]);
    expect(firedFaults(dir)).toEqual({ d: 1 });
  });

  test("a command fails as often as it was told to, across restarts of the agent", async () => {
    setFaults(dir, [{ id: "f", call: "^ip link set", effect: { kind: "fail" }, times: 2 }]);
    await expect(hardware.configureVf(NAME, 0, SET)).rejects.toMatchObject({ code: "unavailable" });
    hardware = open();
    await expect(hardware.configureVf(NAME, 0, SET)).rejects.toMatchObject({ code: "unavailable" });
    await hardware.configureVf(NAME, 0, SET);
    expect(firedFaults(dir)).toEqual({ f: 2 });
  });

  test("a hanging command ends at its deadline and sets nothing", async () => {
    setFaults(dir, [{ id: "h", call: "^ip link set", effect: { kind: "hang" }, times: 1 }]);
    await expectDeadline(hardware.configureVf(NAME, 0, SET));
    expect((await hardware.readVfs(NAME))[0]!.mac).toBe(NO_MAC);
  });

  test("a delayed command is done, later", async () => {
    setFaults(dir, [{ id: "w", call: "^ip link set", effect: { kind: "delay", ms: 500 } }]);
    const call = hardware.configureVf(NAME, 0, SET);
    await clock.advance(499);
    expect((await hardware.readVfs(NAME))[0]!.mac).toBe(NO_MAC);
    await clock.advance(1);
    await call;
    expect((await hardware.readVfs(NAME))[0]!.mac).toBe(SET.mac);
  });

  test("a half-applied command leaves its first settings and fails", async () => {
    setFaults(dir, [{ id: "half", call: "^ip link set", effect: { kind: "half" } }]);
    await expect(hardware.configureVf(NAME, 0, SET)).rejects.toMatchObject({ code: "unavailable" });
    expect((await hardware.readVfs(NAME))[0]).toMatchObject({ mac: SET.mac, rateMbps: 0 });
  });

  test("writes and guests are hit like commands", async () => {
    setFaults(dir, [
      { id: "w", call: `^write .*/${VF0}/driver_override`, effect: { kind: "fail" } },
      { id: "g", call: "^guest start", effect: { kind: "drop" } },
      { id: "l", call: "^guest list", effect: { kind: "fail" }, times: 1 },
    ]);
    await expect(hardware.bindVfio(VF0)).rejects.toMatchObject({ code: "unavailable" });
    await hardware.startGuest(guest());
    await expect(hardware.listGuests()).rejects.toMatchObject({ code: "unavailable" });
    expect(await hardware.listGuests()).toEqual([]);
  });

  test("a vanished function takes its VFs and interfaces along, and comes back bare", async () => {
    const before = await hardware.readFacts();
    setFaults(dir, [deviceRule("vanish", PF)]);
    const gone = await hardware.readFacts();
    expect(gone.functions.some((fn) => fn.address === PF || fn.pf === PF)).toBe(false);
    expect(gone.interfaces.some((one) => one.pciAddress === PF)).toBe(false);
    await expect(hardware.readVfs(NAME)).rejects.toMatchObject({ code: "unavailable" });
    expect(await open().readFacts()).toEqual(gone);
    setFaults(dir, []);
    const back = await hardware.readFacts();
    expect(back.functions.map((fn) => fn.address)).toEqual(
      before.functions.filter((fn) => fn.pf !== PF).map((fn) => fn.address),
    );
    expect(back.interfaces).toEqual(before.interfaces);
  });

  test("a function that reads ones only is not taken back as clean", async () => {
    await hardware.bindVfio(VF0);
    setFaults(dir, [deviceRule("dead", VF0)]);
    await expect(hardware.unbindVfio(VF0)).rejects.toThrow(/ffff/);
    expect(await driverOf(VF0)).toBe("vfio-pci");
    setFaults(dir, []);
    await hardware.unbindVfio(VF0);
    expect(await driverOf(VF0)).toBe("");
  });

  test("a function that cannot be reset stays in use, and is taken back later", async () => {
    await hardware.bindVfio(VF0);
    const call = `^write .*/${VF0}/reset`;
    setFaults(dir, [{ id: "r", call, effect: { kind: "fail" }, times: 1 }]);
    await expect(hardware.unbindVfio(VF0)).rejects.toMatchObject({ code: "unavailable" });
    expect(await driverOf(VF0)).toBe("vfio-pci");
    await hardware.unbindVfio(VF0);
    expect(await driverOf(VF0)).toBe("");
  });

  test("a link without carrier has no speed and no neighbour until it is back", async () => {
    const port = async () =>
      (await hardware.readFacts()).interfaces.find((one) => one.pciAddress === PF)!;
    setFaults(dir, [deviceRule("link-down", NAME)]);
    expect(await port()).toMatchObject({
      speedMbps: 200_000,
      ports: [
        { port: 0, neighbour: "", up: false },
        { port: 1, neighbour: "leaf-2", up: true },
      ],
    });
    setFaults(dir, []);
    expect(await port()).toMatchObject({ speedMbps: 400_000, ports: [{ up: true }, { up: true }] });
  });

  test("cables seen before stay known while lldpcli fails, but not for ever", async () => {
    const before = await hardware.readFacts();
    setFaults(dir, [{ id: "l", call: "^lldpcli", effect: { kind: "fail" } }]);
    expect(await hardware.readFacts()).toEqual(before);
    await clock.advance(600_000);
    expect((await hardware.readFacts()).interfaces[0]!.ports[0]!.neighbour).toBe("");
    expect((await open().readFacts()).interfaces[0]!.ports[0]!.neighbour).toBe("");
  });

  test("a rule that is no expression is named", async () => {
    setFaults(dir, [{ id: "bad", call: "(", effect: { kind: "fail" } }]);
    await expect(hardware.readVfs(NAME)).rejects.toThrow(/fault rule bad/);
  });
});

test("a guest runs once it booted, and is still there for the next agent", async () => {
  await guestWithVf();
  expect((await hardware.listGuests())[0]).toMatchObject({ instanceId: "ins-1", running: false });
  hardware = open();
  await clock.advance(100);
  expect((await hardware.listGuests())[0]).toMatchObject({ instanceId: "ins-1", running: true });
  await hardware.rebootGuest("ins-1", 2);
  expect((await hardware.listGuests())[0]).toMatchObject({ bootCount: 2, running: false });
});

function deviceRule(kind: "vanish" | "dead" | "link-down", device: string): FaultRule {
  return { id: kind, device, effect: { kind } };
}

async function driverOf(address: string): Promise<string | undefined> {
  return (await hardware.readFacts()).functions.find((fn) => fn.address === address)?.driver;
}

async function expectDeadline(call: Promise<void>): Promise<void> {
  const refused = expect(call).rejects.toMatchObject({ code: "deadline" });
  await settle();
  await clock.advance(60_000);
  await refused;
}

async function guestWithVf(): Promise<void> {
  await hardware.setVfCount(PF, 4);
  await hardware.bindVfio(VF0);
  const functions = [{ guestAddress: "0000:11:00.0", hostAddress: VF0 }];
  await hardware.startGuest({ ...guest(), functions });
}

function guest(): GuestSpec {
  const machine = { instanceId: "ins-1", name: "one", bootCount: 1, vcpu: 2, memoryMib: 1024 };
  const desired = {
    ...machine,
    gpus: [],
    attachments: [],
    image: { id: "img-1", path: "/images/one", sha256: "0".repeat(64), sizeBytes: 1 },
    volumes: [],
    vpcNics: [],
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
    userData: new Uint8Array(),
    sshKeys: [],
  };
  return { ...machine, functions: [], addresses: {}, desired };
}
