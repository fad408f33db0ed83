// Expands a hardware model into the tree of a machine just switched on: PCIe switches with a GPU, a
// NIC and a disk each, interfaces, DMI, procfs. Everything in it follows from the model, the serial
// and the boot count.
import { createHash } from "node:crypto";
import { setDriver } from "./drivers.js";
import type { MachineIdentity } from "./machine.js";
import type { HardwareModel } from "./models.js";
import { addFunction, DRIVERS, link, makeDir, NET, put } from "./tree.js";

const BUSES_PER_SWITCH = 0x10;
/** Within a switch's buses: the first below its downstream ports. */
const FIRST_DEVICE_BUS = 6;
const NVSWITCH_BUS = 0xc0;
const PCIE_LINK = { current_link_speed: "32.0 GT/s PCIe", current_link_width: "16" };
const ENDPOINT = { driver_override: "(null)", reset: "", reset_method: "flr", ...PCIE_LINK };
const FIRST_GROUP = 1;

/** Permanent MAC of one port; the same for the same serial, whatever the machine went through. */
export function permanentMac(serial: string, nic: number, port: number): string {
  const digest = createHash("sha256").update(`${serial} nic ${nic} port ${port}`).digest("hex");
  return `b8${digest.slice(0, 10)}`.replace(/..(?=.)/g, "$&:");
}

/** PCI address of a model's NIC, by its index. */
export function nicAddress(index: number): string {
  return pciAddress(BUSES_PER_SWITCH * (index + 1) + FIRST_DEVICE_BUS + nicPort(index), 0);
}

/** Interface name of one port of the NIC at `address`. */
export function netdevName(address: string, port: number): string {
  return `enp${Number.parseInt(address.slice(5, 7), 16)}s0np${port}`;
}

/** Writes the tree below `root`, which must be empty. */
export function renderMachine(root: string, model: HardwareModel, identity: MachineIdentity): void {
  for (const driver of ["vfio-pci", "mlx5_core", "nvme", "igb"]) {
    makeDir(root, `${DRIVERS}/${driver}`);
    put(root, `${DRIVERS}/${driver}/bind`, "");
    put(root, `${DRIVERS}/${driver}/unbind`, "");
  }
  for (const path of ["/sys/bus/pci/devices", NET, "/sys/block"]) makeDir(root, path);
  renderHost(root, model, identity);
  const groups = { next: FIRST_GROUP };
  renderOnboard(root, groups);
  for (let index = 0; index < model.sockets * model.switchesPerSocket; index++) {
    renderSwitch(root, { model, identity, index, groups });
  }
  if (model.nvSwitches > 0) renderNvSwitches(root, model, groups);
}

interface Groups {
  next: number;
}

interface SwitchPlace {
  readonly model: HardwareModel;
  readonly identity: MachineIdentity;
  readonly index: number;
  readonly groups: Groups;
}

// Two neighbouring switches hang below one more switch, so that only the nearest common one tells
// them apart; every second one has its NIC before its GPU, so that no address order helps.
function renderSwitch(root: string, place: SwitchPlace): void {
  const { model, identity, index, groups } = place;
  const numa = Math.floor(index / model.switchesPerSocket);
  const base = BUSES_PER_SWITCH * (index + 1);
  const down = renderBridges(root, {
    base,
    numa,
    ports: 3,
    under: sharedParent(root, index, numa),
  });
  const at = (port: number) => ({
    address: pciAddress(base + FIRST_DEVICE_BUS + port, 0),
    parent: down[port] ?? "",
    numa,
    iommuGroup: groups.next++,
  });
  const gpu = at(1 - nicPort(index));
  addFunction(root, { ...gpu, ...model.gpu, classCode: "030200", attributes: ENDPOINT });
  renderNic(root, { ...at(nicPort(index)), model, identity, index });
  renderDisk(root, { ...at(2), model, index });
}

function nicPort(index: number): number {
  return index % 2 === 0 ? 1 : 0;
}

interface FunctionPlace {
  readonly address: string;
  readonly parent: string;
  readonly numa: number;
  readonly iommuGroup: number;
  readonly model: HardwareModel;
  readonly index: number;
}

function renderNic(
  root: string,
  place: FunctionPlace & { readonly identity: MachineIdentity },
): void {
  const { vendor, device, vfDevice, vfsMax, ports, portSpeedMbps } = place.model.nic;
  const { address, parent, numa, iommuGroup } = place;
  const dir = addFunction(root, {
    ...{ address, parent, numa, iommuGroup, vendor, device },
    classCode: "020000",
    attributes: {
      ...ENDPOINT,
      sriov_totalvfs: String(vfsMax),
      sriov_numvfs: "0",
      sriov_drivers_autoprobe: "1",
      sriov_vf_device: vfDevice,
    },
  });
  setDriver(root, { address, dir }, "mlx5_core");
  for (let port = 0; port < ports; port++) {
    addNetdev(root, dir, {
      name: netdevName(address, port),
      mac: permanentMac(place.identity.serial, place.index, port),
      port,
      speedMbps: portSpeedMbps,
    });
  }
}

function renderDisk(root: string, place: FunctionPlace): void {
  const { vendor, device, sectors } = place.model.disk;
  const { address, parent, numa, iommuGroup } = place;
  const at = { address, parent, numa, iommuGroup, vendor, device };
  const dir = addFunction(root, { ...at, classCode: "010802", attributes: ENDPOINT });
  setDriver(root, { address, dir }, "nvme");
  const block = `${dir}/nvme/nvme${place.index}/nvme${place.index}n1`;
  makeDir(root, block);
  put(root, `${block}/size`, String(sectors));
  put(root, `${block}/removable`, "0");
  link(root, `${block}/device`, `${dir}/nvme/nvme${place.index}`);
  link(root, `/sys/block/nvme${place.index}n1`, block);
}

function renderNvSwitches(root: string, model: HardwareModel, groups: Groups): void {
  const ports = model.nvSwitches;
  const down = renderBridges(root, { base: NVSWITCH_BUS, numa: 0, ports });
  down.forEach((parent, index) => {
    const address = pciAddress(NVSWITCH_BUS + FIRST_DEVICE_BUS + index, 0);
    const at = { address, parent, numa: 0, iommuGroup: groups.next++ };
    const ids = { vendor: "10de", device: "22a3", classCode: "068000" };
    addFunction(root, { ...at, ...ids, attributes: ENDPOINT });
  });
}

// What every server has beside: a network port for management without VFs, and a plain display
// adapter.
function renderOnboard(root: string, groups: Groups): void {
  const [parent = ""] = renderBridges(root, { base: 0x00, numa: 0, ports: 1 });
  const igb = { address: "0000:06:00.0", parent, numa: 0, vendor: "8086", device: "1533" };
  const at = { ...igb, classCode: "020000", iommuGroup: groups.next++ };
  const dir = addFunction(root, { ...at, attributes: ENDPOINT });
  setDriver(root, { address: igb.address, dir }, "igb");
  const mac = "3c:ec:ef:00:00:01";
  addNetdev(root, dir, { name: "eno1", mac, port: 0, speedMbps: 1000 });
  const vga = { address: "0000:06:00.1", parent, numa: 0, vendor: "1a03", device: "2000" };
  addFunction(root, { ...vga, classCode: "030000", iommuGroup: groups.next++ });
}

interface Bridges {
  readonly base: number;
  readonly numa: number;
  readonly ports: number;
  /** Directory of the bridge above; absent: a root port of an own host bridge. */
  readonly under?: string;
}

// Returns the directories of the switch's downstream ports.
function renderBridges(root: string, { base, numa, ports, under }: Bridges): readonly string[] {
  const parent = under ?? bridge(root, hostBridge(base), { bus: base, slot: 1, numa });
  const upstream = bridge(root, parent, { bus: base + 4, slot: 0, numa });
  return Array.from({ length: ports }, (_, slot) =>
    bridge(root, upstream, { bus: base + 5, slot, numa }),
  );
}

function sharedParent(root: string, index: number, numa: number): string {
  const base = BUSES_PER_SWITCH * (index - (index % 2) + 1);
  const rootPort = `${hostBridge(base)}/${pciAddress(base, 1)}`;
  const upper = `${rootPort}/${pciAddress(base + 1, 0)}`;
  if (index % 2 === 0) {
    bridge(root, hostBridge(base), { bus: base, slot: 1, numa });
    bridge(root, rootPort, { bus: base + 1, slot: 0, numa });
  }
  return bridge(root, upper, { bus: base + 2, slot: index % 2, numa });
}

function bridge(
  root: string,
  parent: string,
  at: { readonly bus: number; readonly slot: number; readonly numa: number },
): string {
  const address = pciAddress(at.bus, at.slot);
  const ids = { vendor: "1000", device: "c030", classCode: "060400" };
  return addFunction(root, { address, parent, numa: at.numa, ...ids });
}

function addNetdev(
  root: string,
  dir: string,
  dev: {
    readonly name: string;
    readonly mac: string;
    readonly port: number;
    readonly speedMbps: number;
  },
): void {
  const netdev = `${dir}/net/${dev.name}`;
  makeDir(root, netdev);
  put(root, `${netdev}/address`, dev.mac);
  put(root, `${netdev}/addr_assign_type`, "0");
  put(root, `${netdev}/dev_port`, String(dev.port));
  put(root, `${netdev}/mtu`, "1500");
  put(root, `${netdev}/carrier`, "1");
  put(root, `${netdev}/operstate`, "up");
  put(root, `${netdev}/speed`, String(dev.speedMbps));
  link(root, `${netdev}/device`, dir);
  link(root, `${NET}/${dev.name}`, netdev);
}

function renderHost(root: string, model: HardwareModel, identity: MachineIdentity): void {
  const { serial, boots } = identity;
  makeDir(root, "/sys/class/dmi/id");
  put(root, "/sys/class/dmi/id/product_serial", serial);
  put(root, "/sys/class/dmi/id/product_name", model.name);
  makeDir(root, "/proc/sys/kernel/random");
  put(root, "/proc/sys/kernel/random/boot_id", bootId(serial, boots));
  put(root, "/proc/meminfo", `MemTotal:       ${model.memoryMib * 1024} kB`);
  const cpus = Array.from({ length: model.cpus }, (_, cpu) => `processor\t: ${cpu}\n`);
  put(root, "/proc/cpuinfo", cpus.join("\n"));
}

function bootId(serial: string, boots: number): string {
  const digest = createHash("sha256").update(`${serial} boot ${boots}`).digest("hex");
  return digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

function hostBridge(bus: number): string {
  return `/sys/devices/pci0000:${hex(bus)}`;
}

function pciAddress(bus: number, slot: number): string {
  return `0000:${hex(bus)}:${hex(slot)}.0`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}
