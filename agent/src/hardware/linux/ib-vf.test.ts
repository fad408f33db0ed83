// Tests of virtual functions of InfiniBand adapters, over a made-up machine that has them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeHardware } from "../fake/fake.js";
import { put } from "../fake/tree.js";
import type { Hardware } from "../hardware.js";

const SET = { mac: "02:00:5e:10:20:30", vlan: 0, pkey: 0x101, rateMbps: 0, spoofCheck: true };
const UNSET = { ...SET, mac: "00:00:00:00:00:00", pkey: 0 };

let dir: string;
let hardware: Hardware;
let sriov: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "ib-vf-"));
  const made = { model: "mini-2gpu-ib", serial: "S1", cabling: [["leaf-0"], ["leaf-1"]] };
  hardware = createFakeHardware({ dir, ...made, clock: systemClock() });
  const { rdma } = await hardware.readFacts();
  const address = rdma.find(({ name }) => name === "mlx5_0")?.pciAddress ?? "";
  await hardware.setVfCount(address, 2);
  sriov = join(dir, "root/sys/bus/pci/devices", address, "sriov");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function attribute(vf: number, name: string): string {
  return readFileSync(join(sriov, String(vf), name), "utf8").trim();
}

test("a new vf has no GUID, and reads as such", async () => {
  expect(await hardware.readVfs("mlx5_0")).toEqual([
    { vf: 0, ...UNSET },
    { vf: 1, ...UNSET },
  ]);
});

test("both GUIDs and the policy are set, and read back as the mac and the partition", async () => {
  await hardware.configureVf("mlx5_0", 1, SET);
  expect(attribute(1, "node")).toBe("02:00:5e:01:01:10:20:30");
  expect(attribute(1, "port")).toBe("02:00:5e:01:01:10:20:30");
  expect(attribute(1, "policy")).toBe("Follow");
  expect((await hardware.readVfs("mlx5_0"))[1]).toEqual({ vf: 1, ...SET });
  const { pkey, ...cleared } = UNSET;
  await hardware.configureVf("mlx5_0", 1, cleared);
  expect((await hardware.readVfs("mlx5_0"))[1]).toEqual({ vf: 1, ...UNSET });
  expect(attribute(1, "policy")).toBe("Down");
});

test.each([
  ["node", "02:00:5e:01:01:10:20:31"],
  ["policy", "Down"],
])("a vf whose %s is another reads as in no partition", async (name, value) => {
  await hardware.configureVf("mlx5_0", 0, SET);
  put(sriov, `/0/${name}`, value);
  expect((await hardware.readVfs("mlx5_0"))[0]).toMatchObject({ pkey: 0 });
});

test("what a vf of the one kind does not have is refused, and so for the other kind", async () => {
  await expect(hardware.configureVf("mlx5_0", 0, { ...SET, vlan: 5 })).rejects.toThrow("ethernet");
  await expect(hardware.configureVf("mlx5_0", 0, { ...SET, rateMbps: 9 })).rejects.toThrow("rate");
  await expect(hardware.configureVf("eno1", 0, SET)).rejects.toThrow("pkey");
});
