// A machine and an instance on it without any special hardware, for tests with real guests.
import type { DesiredInstance, Inventory } from "@railyard/agent/model";

/** `pairs` stand-ins for GPUs and NICs, each pair below a switch of its own. */
export function softInventory(pairs: number): Inventory {
  const ks = Array.from({ length: pairs }, (_, k) => k);
  const device = { pciId: "1234:11e8", numa: -1, linkSpeedGts: 0, linkWidth: 0, barBytes: 0 };
  const path = (k: number) => [`fa00:0${k}:00.0`, `fa00:0${k}:01.0`];
  return {
    serial: "S1",
    bootId: "b1",
    numaCount: 1,
    vcpu: 4,
    memoryMib: 4096,
    diskGib: 10,
    gpus: ks.map((k) => ({
      ...device,
      deviceId: `gpu-${k}`,
      pciAddress: `fa00:0${k}:02.0`,
      path: path(k),
    })),
    nics: ks.map((k) => ({
      ...device,
      deviceId: `nic-${k}`,
      pciAddress: `fa00:0${k}:03.0`,
      path: path(k),
      pfName: `rail${k}`,
      permanentMac: `02:00:00:00:01:0${k}`,
      speedGbps: 100,
      vfsMax: 8,
      vfBarBytes: 0,
      rdma: "",
      board: "",
      ports: [],
    })),
    nvSwitches: [],
    fabricManager: false,
    pairs: ks.map((k) => ({ gpu: `gpu-${k}`, nic: `nic-${k}` })),
    warnings: [],
  };
}

/** An instance over all pairs, one attachment each. */
export function softInstance(inventory: Inventory): Pick<DesiredInstance, "gpus" | "attachments"> {
  return {
    gpus: inventory.pairs.map((pair) => pair.gpu),
    attachments: inventory.pairs.map(({ nic }, position) => ({
      attachmentId: `cna-${position}`,
      position,
      rail: position,
      pair: position,
      nic,
      vf: 0,
      mac: `02:00:00:00:00:0${position}`,
      address: `10.0.0.${position + 5}/24`,
      isolation: { kind: "vni", id: 1000 },
      rateMbps: 1000,
      mtu: 9000,
      spoofCheck: true,
    })),
  };
}
