// Expands a hardware model into the tree of a machine just switched on: PCIe switches with a GPU, a
// NIC and a disk each, interfaces, DMI, procfs. Everything in it follows from the model, the serial
// and the boot count.
import { createHash } from "node:crypto";
import { setDriver } from "./drivers.js";
import type { MachineIdentity } from "./machine.js";
import type { HardwareModel } from "./models.js";
import { addNetdev, renderNic } from "./nic.js";
import {
  BUSES_PER_SWITCH,
  FIRST_DEVICE_BUS,
  hex,
  nicPort,
  pciAddress,
  resourceText,
} from "./places.js";
import { addFunction, DRIVERS, link, makeDir, NET, put } from "./tree.js";

const NVSWITCH_BUS = 0xc0;
const ENDPOINT = { driver_override: "(null)", reset: "", reset_method: "flr" };
const FABRIC_MANAGER_PID = 1200;
const FIRST_GROUP = 1;

/** Writes the tree below `root`, which must be empty. */
export function renderMachine(root: string, model: HardwareModel, identity: MachineIdentity): void {
  for (const driver of ["vfio-pci", "mlx5_core", "nvme", "igb"]) {
    makeDir(root, `${DRIVERS}/${driver}`);
    put(root, `${DRIVERS}/${driver}/bind`, "");
    put(root, `${DRIVERS}/${driver}/unbind`, "");
  }
  for (const path of ["/sys/bus/pci/devices", NET, "/sys/block", "/sys/class/infiniband"])
    makeDir(root, path);
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
  addFunction(root, {
    ...gpu,
    ...model.gpu,
    classCode: "030200",
    attributes: { ...endpoint(model), resource: resourceText(gpu.address, model.gpu.ranges) },
  });
  const attributes = endpoint(model);
  const { serial } = identity;
  renderNic(root, { ...at(nicPort(index)), nic: model.nic, serial, index, attributes });
  renderDisk(root, { ...at(2), model, index });
}

interface FunctionPlace {
  readonly address: string;
  readonly parent: string;
  readonly numa: number;
  readonly iommuGroup: number;
  readonly model: HardwareModel;
  readonly index: number;
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
    const resource = resourceText(address, model.nvSwitch.ranges);
    const attributes = { ...endpoint(model), resource };
    addFunction(root, { ...at, ...model.nvSwitch, classCode: "068000", attributes });
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
  const attributes = { max_link_speed: "32.0 GT/s PCIe", max_link_width: "16" };
  return addFunction(root, { address, parent, numa: at.numa, ...ids, attributes });
}

function endpoint({ link: { speedGts, width } }: HardwareModel): Readonly<Record<string, string>> {
  const speed = `${speedGts.toFixed(1)} GT/s PCIe`;
  return {
    ...ENDPOINT,
    current_link_speed: speed,
    current_link_width: String(width),
    max_link_speed: speed,
    max_link_width: String(width),
  };
}

function renderHost(root: string, model: HardwareModel, identity: MachineIdentity): void {
  const { serial, boots } = identity;
  makeDir(root, "/sys/class/dmi/id");
  put(root, "/sys/class/dmi/id/product_serial", serial);
  put(root, "/sys/class/dmi/id/product_name", model.name);
  makeDir(root, "/proc/sys/kernel/random");
  put(root, "/proc/sys/kernel/random/boot_id", bootId(serial, boots));
  put(root, "/proc/meminfo", `MemTotal:       ${model.memoryMib * 1024} kB`);
  if (model.fabricManager) renderFabricManager(root);
  const cpus = Array.from({ length: model.cpus }, (_, cpu) => `processor\t: ${cpu}\n`);
  put(root, "/proc/cpuinfo", cpus.join("\n"));
}

function renderFabricManager(root: string): void {
  for (const dir of ["/usr/share/nvidia/nvswitch", "/run/nvidia-fabricmanager"]) makeDir(root, dir);
  put(root, "/usr/share/nvidia/nvswitch/fabricmanager.cfg", "FABRIC_MODE=1");
  put(root, "/run/nvidia-fabricmanager/nv-fabricmanager.pid", String(FABRIC_MANAGER_PID));
  makeDir(root, `/proc/${FABRIC_MANAGER_PID}`);
  put(root, `/proc/${FABRIC_MANAGER_PID}/comm`, "nv-fabricmanage");
}

function bootId(serial: string, boots: number): string {
  const digest = createHash("sha256").update(`${serial} boot ${boots}`).digest("hex");
  return digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

function hostBridge(bus: number): string {
  return `/sys/devices/pci0000:${hex(bus)}`;
}
