// The layout as arguments for QEMU's q35 machine: data only, nothing is run here. Whoever starts
// the guest adds the machine, `-smp`, `-m` with the whole memory, disks and VPC NICs.
import type { GuestPort } from "../model/guest-bus.js";
import type { GuestFunction, Layout } from "../model.js";
import { guestNodes } from "./guest-numa.js";
import { addressOf, busOf } from "./path-class.js";

/** Slot of the first expander on the guest's root bus; the ones below are for other devices. */
const FIRST_EXPANDER_SLOT = 0x10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

export interface QemuInput {
  readonly layout: Layout;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** Which function of the host stands at which address of the guest. */
  readonly functions: readonly GuestFunction[];
}

/**
 * Argument vector: guest NUMA nodes bound to the host's, expanders, root ports, switches, passed
 * through functions, and the window above 4 GiB for QEMU (`pci-hole64-size`) and OVMF
 * (`X-PciMmio64Mb`); the guest's CPU must have address bits for twice that window. A port is named
 * after the bus that it opens. The root bus may have bridges for buses 1 to 15 only. Without any
 * device: nothing.
 */
export function qemuArguments(input: QemuInput): readonly string[] {
  const { layout, functions } = input;
  if (layout.expanders.length === 0) return [];
  return [
    ...window(layout.mmioBytes),
    ...numaArguments(input),
    ...layout.expanders.flatMap(({ bus, guestNuma }, index) =>
      device("pxb-pcie", {
        id: nameOf(bus),
        bus: "pcie.0",
        addr: hex(FIRST_EXPANDER_SLOT + index),
        bus_nr: bus,
        ...(guestNuma >= 0 && { numa_node: guestNuma }),
      }),
    ),
    ...layout.ports.flatMap(portArguments),
    ...functions.flatMap(({ guestAddress, hostAddress }) =>
      device("vfio-pci", {
        id: `fn${nameOf(busOf(guestAddress))}`,
        bus: nameOf(busOf(guestAddress)),
        addr: "0x0",
        host: hostAddress,
      }),
    ),
  ];
}

function window(bytes: number): string[] {
  return [
    ...["-global", `q35-pcihost.pci-hole64-size=${bytes / GIB}G`],
    ...["-fw_cfg", `name=opt/ovmf/X-PciMmio64Mb,string=${bytes / MIB}`],
  ];
}

function numaArguments({ layout, vcpu, memoryMib }: QemuInput): string[] {
  return guestNodes(layout, { vcpu, memoryMib }).flatMap((guest) => {
    const { node, hostNuma, firstCpu, cpuCount } = guest;
    const bound = hostNuma < 0 ? "" : `,host-nodes=${hostNuma},policy=bind`;
    const cpus = cpuCount === 0 ? "" : `,cpus=${firstCpu}-${firstCpu + cpuCount - 1}`;
    return [
      ...["-object", `memory-backend-ram,id=ram${node},size=${guest.memoryMib}M${bound}`],
      ...["-numa", `node,nodeid=${node}${cpus},memdev=ram${node}`],
    ];
  });
}

function portArguments({ kind, bus, slot, secondaryBus }: GuestPort): string[] {
  const at = { id: nameOf(secondaryBus), bus: nameOf(bus), addr: hex(slot) };
  // The pair of chassis and slot must be the only one of its kind in the machine.
  const unique = { chassis: secondaryBus, slot };
  switch (kind) {
    case "root":
      return device("pcie-root-port", { ...at, ...unique });
    case "upstream":
      return device("x3130-upstream", at);
    case "downstream":
      return device("xio3130-downstream", { ...at, ...unique });
  }
}

function device(driver: string, properties: Readonly<Record<string, string | number>>): string[] {
  const texts = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
  return ["-device", [driver, ...texts].join(",")];
}

/** Also used in messages: `bus11`. */
function nameOf(bus: number): string {
  return `bus${addressOf(bus, 0).slice(5, 7)}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
