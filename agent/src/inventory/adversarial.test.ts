// Shows what is made of machines that lie, are half dead or are built by somebody else: trees made
// by hand, read by the production code.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addNetdev } from "../hardware/fake/nic.js";
import { addFunction, link, makeDir, put, putBytes, writeConfig } from "../hardware/fake/tree.js";
import { factsReader } from "../hardware/linux/facts.js";
import { inventoryOf } from "../inventory.js";
import type { Inventory } from "../model.js";

const ROOT_PORT = "/sys/devices/pci0000:10/0000:10:01.0";
const BUS = "/sys/bus/pci/devices";
const NET = "/sys/class/net";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "railyard-tree-"));
  for (const path of [BUS, NET]) makeDir(root, path);
  bridge("/sys/devices/pci0000:10", "0000:10:01.0");
});
afterEach(() => rmSync(root, { recursive: true }));

describe("switches", () => {
  test("two switches below one root port each pair their own, not the other's", async () => {
    const [left, right] = [pcieSwitch(2), pcieSwitch(3)];
    addGpu("0000:21:00.0", left.ports[0]!);
    addNic("0000:31:00.0", right.ports[0]!, { mac: "b8:00:00:00:00:01" });
    addGpu("0000:32:00.0", right.ports[1]!);
    addNic("0000:22:00.0", left.ports[1]!, { mac: "b8:00:00:00:00:02" });
    expect((await discover()).pairs).toEqual([
      { gpu: "gpu-0000:21:00.0", nic: "nic-b80000000002" },
      { gpu: "gpu-0000:32:00.0", nic: "nic-b80000000001" },
    ]);
  });

  test("a GPU and a NIC on root ports of their own are no pair", async () => {
    addGpu("0000:21:00.0", ROOT_PORT);
    addNic("0000:31:00.0", bridge("/sys/devices/pci0000:20", "0000:20:01.0"), {});
    const { pairs, warnings } = await discover();
    expect(pairs).toEqual([]);
    const alone = ["gpu-0000:21:00.0", "nic-b80000000001"];
    expect(warnings.map((w) => [w.kind, w.deviceId])).toEqual(
      alone.map((deviceId) => ["no-common-switch", deviceId]),
    );
  });
});

describe("boards", () => {
  test("two functions of one card are one board, paired by the first", async () => {
    const { ports } = pcieSwitch(2);
    addGpu("0000:21:00.0", ports[0]!);
    addNic("0000:22:00.1", ports[1]!, { mac: "b8:00:00:00:00:02", serial: "MT1" });
    addNic("0000:22:00.0", ports[1]!, { mac: "b8:00:00:00:00:01", serial: "MT1" });
    const { nics, pairs, warnings } = await discover();
    expect(nics.map((nic) => nic.board)).toEqual(["MT1", "MT1"]);
    expect(pairs).toEqual([{ gpu: "gpu-0000:21:00.0", nic: "nic-b80000000001" }]);
    expect(kinds(warnings)).toEqual(["shared-board"]);
  });

  test("a serial that stands on two boards tells them apart as little as none", async () => {
    const [left, right] = [pcieSwitch(2), pcieSwitch(3)];
    addNic("0000:22:00.0", left.ports[0]!, { mac: "b8:00:00:00:00:01", serial: "MT1" });
    addNic("0000:32:00.0", right.ports[0]!, { mac: "b8:00:00:00:00:02", serial: "MT1" });
    const { nics, warnings } = await discover();
    expect(nics.map((nic) => nic.board)).toEqual(["", ""]);
    expect(kinds(warnings).filter((kind) => kind === "duplicate-serial")).toHaveLength(2);
  });

  test("a board whose serial is a placeholder has none", async () => {
    addNic("0000:22:00.0", pcieSwitch(2).ports[0]!, { serial: "N/A" });
    const { nics, warnings } = await discover();
    expect(nics[0]!.board).toBe("");
    expect(kinds(warnings)).toContain("placeholder-serial");
  });
});

describe("InfiniBand", () => {
  const nic = () => {
    const port = pcieSwitch(2).ports[0]!;
    return addNic("0000:22:00.0", port, { mac: "00:00:10:49:fe:80", classCode: "020700" });
  };

  test("a NIC is named by its port's GUID, with the port's link", async () => {
    addRdma(nic(), "fe80:0000:0000:0000:b83f:d203:00ab:cdef");
    const { nics } = await discover({ "mlx5_0/1": "leaf-ib-1" });
    expect(nics[0]).toMatchObject({
      deviceId: "nic-b83fd20300abcdef",
      rdma: "mlx5_0",
      speedGbps: 400,
      ports: [{ port: 0, neighbour: "leaf-ib-1", up: true }],
    });
  });

  test("a GUID of zeros names nothing", async () => {
    addRdma(nic(), "fe80:0000:0000:0000:0000:0000:0000:0000");
    const { nics, warnings } = await discover();
    expect(nics[0]!.deviceId).toBe("nic-0000:22:00.0");
    expect(kinds(warnings)).toContain("placeholder-guid");
  });
});

describe("devices that do not tell the truth", () => {
  test("a device that reads ones only stays listed, with a warning", async () => {
    const { ports } = pcieSwitch(2);
    const dir = addGpu("0000:21:00.0", ports[0]!);
    addNic("0000:22:00.0", ports[1]!, {});
    writeConfig(root, dir, "dead");
    const { gpus, warnings } = await discover();
    expect(gpus).toHaveLength(1);
    expect(warnings).toMatchObject([{ kind: "reads-ffff", deviceId: "gpu-0000:21:00.0" }]);
  });

  test("an unknown NUMA node matters only where there are several", async () => {
    const { ports } = pcieSwitch(2);
    addGpu("0000:21:00.0", ports[0]!, { numa_node: "-1" });
    addNic("0000:22:00.0", ports[1]!, {});
    expect(kinds((await discover()).warnings)).toEqual([]);
    addGpu("0000:31:00.0", pcieSwitch(3).ports[0]!, { numa_node: "1" });
    const { gpus, warnings } = await discover();
    expect(gpus[0]!.numa).toBe(-1);
    expect(warnings).toContainEqual(
      expect.objectContaining({ kind: "numa-unknown", deviceId: "gpu-0000:21:00.0" }),
    );
  });

  test("a link with fewer lanes than both its ends can have is degraded", async () => {
    const { ports } = pcieSwitch(2);
    addGpu("0000:21:00.0", ports[0]!, { current_link_width: "8" });
    addNic("0000:22:00.0", ports[1]!, { attributes: { current_link_speed: "16.0 GT/s PCIe" } });
    const { gpus, warnings } = await discover();
    expect(warnings.map((w) => [w.kind, w.deviceId.slice(0, 3)])).toEqual([
      ["degraded-link", "gpu"],
      ["degraded-link", "nic"],
    ]);
    expect(gpus[0]).toMatchObject({ linkSpeedGts: 32, linkWidth: 16 });
  });

  test("an idle GPU that lowered its link's speed is not degraded", async () => {
    const { ports } = pcieSwitch(2);
    addGpu("0000:21:00.0", ports[0]!, { current_link_speed: "2.5 GT/s PCIe" });
    addNic("0000:22:00.0", ports[1]!, {});
    expect(kinds((await discover()).warnings)).toEqual([]);
  });

  test("a count of VFs that is not what stands there is told", async () => {
    const { ports } = pcieSwitch(2);
    addGpu("0000:21:00.0", ports[0]!);
    addNic("0000:22:00.0", ports[1]!, { attributes: { sriov_numvfs: "4" } });
    expect(kinds((await discover()).warnings)).toEqual(["vf-count"]);
  });

  test("a function whose class cannot be read is told of, not passed over", async () => {
    const dir = addGpu("0000:21:00.0", pcieSwitch(2).ports[0]!);
    const path = join(root, dir, "class");
    unlinkSync(path);
    mkdirSync(path);
    const { gpus, warnings } = await discover();
    expect(gpus).toEqual([]);
    expect(kinds(warnings)).toEqual(["unreadable-attribute"]);
    expect(warnings[0]!.message).toContain("0000:21:00.0");
  });
});

describe("hostile names", () => {
  test.each(["0000:21:00.0; reboot", "..%2f..", "$(id)", "0000:21:00.0\n", "-rf"])(
    "%j on the bus is no device",
    async (name) => {
      const dir = addGpu("0000:21:00.0", pcieSwitch(2).ports[0]!);
      symlinkSync(join("../../../..", dir), join(root, BUS, name));
      const { gpus, warnings } = await discover();
      expect(gpus.map((gpu) => gpu.pciAddress)).toEqual(["0000:21:00.0"]);
      expect(kinds(warnings)).toContain("strange-name");
      for (const { message } of warnings) expect(message).not.toMatch(/[\n\r]/);
    },
  );

  test.each(["eth0;reboot", "-all", "eth 0", "$(id)", "eth\n0", "averyveryverylongname"])(
    "the interface name %j reaches no tool",
    async (name) => {
      const dir = addNic("0000:22:00.0", pcieSwitch(2).ports[0]!, { name });
      const { nics, warnings } = await discover();
      expect(dir).toContain("0000:22:00.0");
      expect(nics[0]).toMatchObject({ pfName: "", permanentMac: "", ports: [] });
      expect(kinds(warnings)).toContain("strange-name");
    },
  );

  test("a link that leaves the tree is no PCI function", async () => {
    makeDir(root, `${NET}`);
    const path = join(root, NET, "eth0");
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync("../../../../../../etc", path);
    expect((await discover()).nics).toEqual([]);
  });

  test("representors of VFs are no ports of their NIC", async () => {
    const dir = addNic("0000:22:00.0", pcieSwitch(2).ports[0]!, {});
    addNetdev(root, dir, { name: "rep0", mac: "b8:00:00:00:00:99", port: 1, speedMbps: 1 });
    put(root, `${dir}/net/rep0/phys_port_name`, "pf0vf3");
    expect((await discover()).nics[0]!.ports).toHaveLength(1);
  });
});

test("an empty machine has an empty inventory, and says what is missing", async () => {
  rmSync(join(root, "sys"), { recursive: true });
  expect(await discover()).toMatchObject({ gpus: [], nics: [], pairs: [], nvSwitches: [] });
});

async function discover(cables: Readonly<Record<string, string>> = {}): Promise<Inventory> {
  const clock = new ManualClock();
  const outside = {
    root,
    write: () => Promise.reject(refuse("bug", "discovery writes nothing")),
    async exec(tool: string, args: readonly string[]) {
      if (tool !== "smpquery") throw refuse("unavailable", `${tool} is not installed`);
      const leaf = cables[`${args[1]}/${args[3]}`];
      return `Node Description:........MF0;${leaf}:MQM9700/U1\n`;
    },
  };
  const facts = await factsReader(outside, clock, 1000)();
  const inventory = inventoryOf({ ...facts, serial: facts.serial || "S1" });
  return inventory;
}

// Devices that are alone in a test are no pair, which that test is not about.
function kinds(warnings: Inventory["warnings"]): readonly string[] {
  return warnings.map((w) => w.kind).filter((kind) => kind !== "no-common-switch");
}

function bridge(parent: string, address: string): string {
  const ids = { vendor: "1000", device: "c030", classCode: "060400", numa: 0 };
  const attributes = { max_link_speed: "32.0 GT/s PCIe", max_link_width: "16" };
  return addFunction(root, { address, parent, ...ids, attributes });
}

/** A switch with two downstream ports below the one root port. */
function pcieSwitch(bus: number): { readonly ports: readonly string[] } {
  const upstream = bridge(ROOT_PORT, `0000:${bus}0:00.0`);
  return { ports: [0, 1].map((slot) => bridge(upstream, `0000:${bus}f:0${slot}.0`)) };
}

const LINK = {
  current_link_speed: "32.0 GT/s PCIe",
  current_link_width: "16",
  max_link_speed: "32.0 GT/s PCIe",
  max_link_width: "16",
};

function addGpu(
  address: string,
  parent: string,
  attributes: Readonly<Record<string, string>> = {},
): string {
  const ids = { vendor: "10de", device: "2330", classCode: "030200", numa: 0, iommuGroup: 7 };
  return addFunction(root, { address, parent, ...ids, attributes: { ...LINK, ...attributes } });
}

function addNic(
  address: string,
  parent: string,
  of: {
    readonly mac?: string;
    readonly name?: string;
    readonly serial?: string;
    readonly classCode?: string;
    readonly attributes?: Readonly<Record<string, string>>;
  },
): string {
  const ids = { vendor: "15b3", device: "1021", numa: 0, iommuGroup: 8 };
  const attributes = { ...LINK, sriov_totalvfs: "8", sriov_numvfs: "0", ...of.attributes };
  const { classCode = "020000" } = of;
  const dir = addFunction(root, { address, parent, ...ids, classCode, attributes });
  const { name = `eth${address.slice(5, 7)}f${address.at(-1)}`, mac = "b8:00:00:00:00:01" } = of;
  addNetdev(root, dir, { name, mac, port: 0, speedMbps: 400_000 });
  if (of.serial !== undefined) {
    const field = Buffer.concat([
      Buffer.from(`SN${String.fromCharCode(of.serial.length)}`),
      Buffer.from(of.serial),
    ]);
    const data = Buffer.concat([Buffer.from([0x90, field.length, 0]), field, Buffer.from([0x78])]);
    putBytes(root, `${dir}/vpd`, data);
  }
  return dir;
}

function addRdma(dir: string, gid: string): void {
  const rdma = `${dir}/infiniband/mlx5_0`;
  makeDir(root, `${rdma}/ports/1/gids`);
  makeDir(root, "/sys/class/infiniband");
  put(root, `${rdma}/ports/1/link_layer`, "InfiniBand");
  put(root, `${rdma}/ports/1/state`, "4: ACTIVE");
  put(root, `${rdma}/ports/1/rate`, "400 Gb/sec (4X NDR)");
  put(root, `${rdma}/ports/1/gids/0`, gid);
  link(root, `${rdma}/device`, dir);
  link(root, "/sys/class/infiniband/mlx5_0", rdma);
}
