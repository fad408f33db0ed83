// Tests of what the golden machines do not show: InfiniBand, unknown link speeds, unknown NUMA
// nodes, NICs with a subnet each.
import { expect, test } from "vitest";
import type { DesiredInstance, GuestView, Inventory } from "../model.js";
import { guestView } from "./guest-view.js";
import { compileLayout } from "./layout.js";

interface Odd {
  readonly numa?: number;
  readonly linkSpeedGts?: number;
  readonly kind?: "vlan" | "pkey";
}

function viewOf({ numa = 0, linkSpeedGts = 32, kind = "vlan" }: Odd): GuestView {
  const linked = { linkSpeedGts, linkWidth: linkSpeedGts === 0 ? 0 : 16, barBytes: 2 ** 30, numa };
  const inventory: Inventory = {
    ...{ serial: "S1", bootId: "b", numaCount: 1, vcpu: 8, memoryMib: 1024, diskGib: 1 },
    gpus: [
      {
        ...{ deviceId: "gpu-0", pciAddress: "0000:01:00.0", pciId: "10de:2330", ...linked },
        path: ["root", "up", "down-0"],
      },
    ],
    nics: [
      {
        ...{ deviceId: "nic-0", pciAddress: "0000:02:00.0", pciId: "15b3:1021", ...linked },
        ...{ path: ["root", "up", "down-1"], vfBarBytes: 2 ** 20, rdma: "", board: "", ports: [] },
        ...{ pfName: "eth0", permanentMac: "", speedGbps: 400, vfsMax: 16 },
      },
    ],
    ...{ nvSwitches: [], fabricManager: false, warnings: [] },
    pairs: [{ gpu: "gpu-0", nic: "nic-0" }],
  };
  const instance: DesiredInstance = {
    ...{ instanceId: "ins-0", name: "one", bootCount: 1, vcpu: 4, memoryMib: 1024 },
    gpus: ["gpu-0"],
    attachments: [
      {
        ...{ attachmentId: "a0", position: 0, rail: 0, pair: 0, nic: "nic-0", vf: 0, mtu: 4200 },
        ...{ mac: "02:00:00:00:00:01", address: "10.9.8.7/20", rateMbps: 1, spoofCheck: true },
        isolation: { kind, id: 5 },
      },
    ],
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    ...{ volumes: [], vpcNics: [], userData: new Uint8Array(), sshKeys: [] },
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
  };
  const result = compileLayout(inventory, instance);
  if (!result.ok) throw new Error(result.problem.message);
  return guestView({ inventory, instance, layout: result.layout, functions: [] });
}

test("an InfiniBand NIC has its class, and no GID index is recommended for it", () => {
  const ib = viewOf({ kind: "pkey" });
  expect(ib.ncclTopologyXml).toContain('busid="0000:14:00.0" class="0x020700"');
  expect(ib.ncclEnvironment).not.toContain("GID_INDEX");
  expect(viewOf({}).ncclEnvironment).toContain("NCCL_IB_GID_INDEX=3");
});

test("an unknown link speed is told as unknown, never as that of the virtual port", () => {
  const { ncclTopologyXml } = viewOf({ linkSpeedGts: 0 });
  expect(ncclTopologyXml).toContain('link_speed="" link_width="0"');
  expect(ncclTopologyXml).not.toContain("GT/s");
});

test("a machine of unknown NUMA nodes gives a guest with one, bound to none", () => {
  const { ncclTopologyXml, qemuArguments } = viewOf({ numa: -1 });
  expect(ncclTopologyXml).toContain('<cpu numaid="0" affinity="0000000f"');
  expect(qemuArguments.join(" ")).not.toMatch(/host-nodes|numa_node/);
});

test("routes and loose path checks are recommended only where NICs share a subnet", () => {
  const { networkSettings, kernelSettings } = viewOf({});
  expect(networkSettings).toContain("mtu 4200");
  expect(networkSettings).toContain("10.9.8.7/20");
  expect(networkSettings).not.toContain("table");
  expect(kernelSettings).not.toContain("rp_filter");
});
