// What every implementation of the hardware contract must do, as one suite. It knows the contract
// only; how a machine is opened, and reopened as after an agent's restart, is the caller's.
import type { Hardware, PciFunction } from "@railyard/agent/hardware/hardware";
import type { GuestFunction, GuestSpec } from "@railyard/agent/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** One machine under test, fresh for every test. */
export interface HardwareUnderTest {
  readonly hardware: Hardware;
  /** The same machine through a new object, as a restarted agent has it. */
  reopen(): Hardware;
  close(): Promise<void>;
}

const NO_MAC = "00:00:00:00:00:00";
const EMPTY = { mac: NO_MAC, vlan: 0, rateMbps: 0, spoofCheck: false };
const SET = { mac: "02:00:00:00:00:05", vlan: 101, rateMbps: 100_000, spoofCheck: true };
const RUNNING_DEADLINE_MS = 120_000;

/** Runs the suite; `open` gives a machine whose GPUs and NICs nobody uses. */
export function hardwareConformance(name: string, open: () => Promise<HardwareUnderTest>): void {
  describe(`hardware contract: ${name}`, () => {
    let under: HardwareUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.close());
    const bench: Bench = {
      get hardware() {
        return under.hardware;
      },
      reopen: () => under.reopen(),
    };
    testVfCount(bench);
    testVfSettings(bench);
    testBinding(bench);
    testGuests(bench);
    testRestart(bench);
  });
}

type Bench = Omit<HardwareUnderTest, "close">;

function testVfCount(bench: Bench): void {
  test("new VFs appear on the bus, in order, without driver and without settings", async () => {
    const { pf, name } = await firstNic(bench);
    await bench.hardware.setVfCount(pf.address, 4);
    const after = (await functionAt(bench, pf.address))!;
    expect(after.vfCount).toBe(4);
    expect(new Set(after.vfs).size).toBe(4);
    for (const address of after.vfs) {
      expect(await functionAt(bench, address)).toMatchObject({ pf: pf.address, driver: "" });
    }
    const expected = [0, 1, 2, 3].map((vf) => ({ vf, ...EMPTY }));
    expect(await bench.hardware.readVfs(name)).toEqual(expected);
  });

  test("the number of VFs cannot go from one non-zero value to another", async () => {
    const { pf } = await firstNic(bench);
    await bench.hardware.setVfCount(pf.address, 2);
    await bench.hardware.setVfCount(pf.address, 2);
    await expect(bench.hardware.setVfCount(pf.address, 4)).rejects.toMatchObject({
      code: "unavailable",
    });
    await bench.hardware.setVfCount(pf.address, 0);
    await bench.hardware.setVfCount(pf.address, 4);
    expect((await functionAt(bench, pf.address))!.vfs).toHaveLength(4);
  });

  test("more VFs than the function can have are refused", async () => {
    const { pf } = await firstNic(bench);
    await expect(bench.hardware.setVfCount(pf.address, pf.vfsMax + 1)).rejects.toMatchObject({
      code: "invalid",
    });
  });
}

function testVfSettings(bench: Bench): void {
  test("a VF's settings are read back, leave the others alone, and can be cleared", async () => {
    const { pf, name } = await firstNic(bench);
    await bench.hardware.setVfCount(pf.address, 3);
    await bench.hardware.configureVf(name, 1, SET);
    expect((await bench.hardware.readVfs(name))[1]).toEqual({ vf: 1, ...SET });
    expect((await bench.hardware.readVfs(name))[0]).toEqual({ vf: 0, ...EMPTY });
    await bench.hardware.configureVf(name, 1, EMPTY);
    expect((await bench.hardware.readVfs(name))[1]).toEqual({ vf: 1, ...EMPTY });
  });

  test("settings die with the VFs", async () => {
    const { pf, name } = await firstNic(bench);
    await bench.hardware.setVfCount(pf.address, 1);
    await bench.hardware.configureVf(name, 0, SET);
    await bench.hardware.setVfCount(pf.address, 0);
    expect(await bench.hardware.readVfs(name)).toEqual([]);
    await bench.hardware.setVfCount(pf.address, 1);
    expect(await bench.hardware.readVfs(name)).toEqual([{ vf: 0, ...EMPTY }]);
  });

  test("arguments of the wrong shape never reach a tool", async () => {
    const { name } = await firstNic(bench);
    const calls = [
      bench.hardware.configureVf(name, 0, { ...SET, mac: "02:00:00:00:00:05 trust on" }),
      bench.hardware.configureVf(name, 0, { ...SET, vlan: 4095 }),
      bench.hardware.configureVf(`${name} up`, 0, SET),
      bench.hardware.configureVf("-all", 0, SET),
      bench.hardware.configureVf(name, -1, SET),
      bench.hardware.bindVfio("../../net/eno1"),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: "invalid" });
  });

  test("a VF that does not exist cannot be set", async () => {
    const { name } = await firstNic(bench);
    await expect(bench.hardware.configureVf(name, 7, SET)).rejects.toMatchObject({
      code: "unavailable",
    });
  });
}

function testBinding(bench: Bench): void {
  test("a function goes to vfio-pci and comes back, and both may be repeated", async () => {
    const vf = await firstVf(bench);
    await bench.hardware.bindVfio(vf.address);
    await bench.hardware.bindVfio(vf.address);
    expect((await functionAt(bench, vf.address))!.driver).toBe("vfio-pci");
    await bench.hardware.unbindVfio(vf.address);
    await bench.hardware.unbindVfio(vf.address);
    expect((await functionAt(bench, vf.address))!.driver).toBe("");
  });

  test("a function that is not on the bus can neither be bound nor unbound", async () => {
    const gone = "00ff:ff:1f.7";
    await expect(bench.hardware.bindVfio(gone)).rejects.toMatchObject({ code: "unavailable" });
    await expect(bench.hardware.unbindVfio(gone)).rejects.toMatchObject({ code: "unavailable" });
  });
}

function testGuests(bench: Bench): void {
  test("a guest starts, is listed as it was defined, and leaves no trace", async () => {
    const vf = await firstVf(bench);
    await bench.hardware.bindVfio(vf.address);
    const spec = guestSpec([{ guestAddress: "0000:11:00.0", hostAddress: vf.address }]);
    await bench.hardware.startGuest(spec);
    await running(bench.hardware);
    const { name: _, desired: __, ...defined } = spec;
    expect(await bench.hardware.listGuests()).toEqual([{ ...defined, running: true }]);
    await bench.hardware.stopGuest(spec.instanceId);
    await bench.hardware.stopGuest(spec.instanceId);
    expect(await bench.hardware.listGuests()).toEqual([]);
  });

  test("a guest does not start with a function that vfio-pci does not hold", async () => {
    const vf = await firstVf(bench);
    const spec = guestSpec([{ guestAddress: "0000:11:00.0", hostAddress: vf.address }]);
    await expect(bench.hardware.startGuest(spec)).rejects.toMatchObject({ code: "unavailable" });
    expect(await bench.hardware.listGuests()).toEqual([]);
  });

  test("two guests cannot share a function", async () => {
    const vf = await firstVf(bench);
    await bench.hardware.bindVfio(vf.address);
    const functions = [{ guestAddress: "0000:11:00.0", hostAddress: vf.address }];
    await bench.hardware.startGuest(guestSpec(functions));
    await expect(
      bench.hardware.startGuest({ ...guestSpec(functions), instanceId: "ins-2" }),
    ).rejects.toMatchObject({ code: "unavailable" });
    await bench.hardware.stopGuest("ins-1");
  });

  test("a reboot raises the boot count and the guest runs again", async () => {
    await bench.hardware.startGuest(guestSpec([]));
    await running(bench.hardware);
    await bench.hardware.rebootGuest("ins-1", 2);
    await running(bench.hardware);
    expect((await bench.hardware.listGuests())[0]!.bootCount).toBe(2);
    await bench.hardware.stopGuest("ins-1");
  });
}

function testRestart(bench: Bench): void {
  test("guests, VFs and bindings outlive the agent", async () => {
    const vf = await firstVf(bench);
    const { name } = await firstNic(bench);
    await bench.hardware.configureVf(name, 0, SET);
    await bench.hardware.bindVfio(vf.address);
    const functions = [{ guestAddress: "0000:11:00.0", hostAddress: vf.address }];
    await bench.hardware.startGuest(guestSpec(functions));
    await running(bench.hardware);
    const [facts, vfs] = [await bench.hardware.readFacts(), await bench.hardware.readVfs(name)];
    const guests = await bench.hardware.listGuests();
    const again = bench.reopen();
    expect(await again.readFacts()).toEqual(facts);
    expect(await again.readVfs(name)).toEqual(vfs);
    expect(await again.listGuests()).toEqual(guests);
    await again.stopGuest("ins-1");
  });
}

async function firstNic({ hardware }: Bench): Promise<{ pf: PciFunction; name: string }> {
  const facts = await hardware.readFacts();
  const pf = facts.functions.find((fn) => fn.vfsMax > 0)!;
  return { pf, name: facts.interfaces.find((i) => i.pciAddress === pf.address)!.name };
}

async function functionAt({ hardware }: Bench, address: string): Promise<PciFunction | undefined> {
  return (await hardware.readFacts()).functions.find((fn) => fn.address === address);
}

async function firstVf(bench: Bench): Promise<PciFunction> {
  const { pf } = await firstNic(bench);
  await bench.hardware.setVfCount(pf.address, 2);
  return (await functionAt(bench, (await functionAt(bench, pf.address))!.vfs[0]!))!;
}

async function running(hardware: Hardware): Promise<void> {
  const end = Date.now() + RUNNING_DEADLINE_MS;
  while (!(await hardware.listGuests()).every((guest) => guest.running)) {
    if (Date.now() > end) throw new Error("the guest did not run in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function guestSpec(functions: readonly GuestFunction[]): GuestSpec {
  const machine = { instanceId: "ins-1", name: "one", bootCount: 1, vcpu: 2, memoryMib: 1024 };
  return {
    ...machine,
    functions,
    addresses: { "02:00:00:00:00:05": "10.0.0.5/24" },
    desired: {
      ...machine,
      gpus: [],
      attachments: [],
      image: { id: "img-1", path: "/images/one", sha256: "0".repeat(64), sizeBytes: 1 },
      volumes: [],
      vpcNics: [],
      metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
      userData: new Uint8Array(),
      sshKeys: [],
    },
  };
}
