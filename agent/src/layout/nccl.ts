// The topology file that NCCL reads in a guest, where the virtual ports' own link speeds would
// mislead it. Guest addresses only; it must not know the host's.
import type { Expander, GuestPort } from "../model/guest-bus.js";
import type { DesiredInstance, Inventory, Layout } from "../model.js";
import { guestNodes } from "./guest-numa.js";
import { addressOf } from "./path-class.js";

const CLASS = {
  gpu: "0x030200",
  ethernet: "0x020000",
  infiniband: "0x020700",
  bridge: "0x060400",
} as const;
/** TI XIO3130, which QEMU's virtual switches are. */
const SWITCH_ID = "104c:8232";
const MASK_BITS = 32;

interface Link {
  /** GT/s per lane; 0 when unknown. */
  readonly speed: number;
  readonly width: number;
}

interface PciFunction extends Link {
  readonly classCode: string;
  /** `vendor:device`; empty: NCCL reads it itself. */
  readonly id: string;
}

/** A `pci` element before it is written. */
interface Element extends PciFunction {
  readonly address: string;
  readonly children: readonly Element[];
}

/**
 * The file's text (NCCL `src/graph/{topo,xml}.cc`, file version 1). NCCL joins the upstream port of
 * a switch to the one above it and leaves the downstream ports out; so does this. What the guest
 * knows better it adds itself: `gpu`, `nic` and `net` elements, CPU vendor and model. NVSwitches
 * are no part of it: it finds NVLink by itself.
 */
export function ncclTopology(
  inventory: Inventory,
  instance: DesiredInstance,
  layout: Layout,
): string {
  const functions = functionsOf(inventory, instance, layout);
  const nodes = guestNodes(layout, instance);
  const cpus = layout.expanders.flatMap((expander) => {
    const elements = elementsAt(layout, functions, expander.bus);
    const numa = nodes.length > 1 ? expander.guestNuma : Math.max(0, expander.guestNuma);
    const node = nodes.find((n) => n.node === numa);
    const cpu = node ? ` affinity="${affinity(node.firstCpu, node.cpuCount, instance.vcpu)}"` : "";
    return [
      `  <cpu numaid="${numa}"${cpu} arch="x86_64">`,
      ...elements.flatMap((element) => written(element, "    ")),
      "  </cpu>",
    ];
  });
  return ['<system version="1">', ...cpus, "</system>", ""].join("\n");
}

function functionsOf(
  { gpus, nics }: Inventory,
  { attachments }: DesiredInstance,
  layout: Layout,
): ReadonlyMap<string, PciFunction> {
  const found = new Map<string, PciFunction>();
  for (const { deviceId, guestAddress } of layout.gpus) {
    const gpu = gpus.find((g) => g.deviceId === deviceId);
    const link = { speed: gpu?.linkSpeedGts ?? 0, width: gpu?.linkWidth ?? 0 };
    found.set(guestAddress, { ...link, classCode: CLASS.gpu, id: gpu?.pciId ?? "" });
  }
  for (const { position, nic: deviceId, guestAddress } of layout.attachments) {
    const nic = nics.find((n) => n.deviceId === deviceId);
    const link = { speed: nic?.linkSpeedGts ?? 0, width: nic?.linkWidth ?? 0 };
    const kind = attachments[position]?.isolation.kind === "pkey" ? "infiniband" : "ethernet";
    found.set(guestAddress, { ...link, classCode: CLASS[kind], id: "" });
  }
  return found;
}

/** What hangs on a bus: a switch for each port that leads to one, else the function behind it. */
function elementsAt(
  layout: Layout,
  functions: ReadonlyMap<string, PciFunction>,
  bus: Expander["bus"],
): readonly Element[] {
  const on = (at: number): readonly GuestPort[] => layout.ports.filter((p) => p.bus === at);
  return on(bus).flatMap(({ secondaryBus }): Element[] => {
    const [upstream] = on(secondaryBus);
    const address = addressOf(secondaryBus, 0);
    const fn = functions.get(address);
    if (!upstream) return fn ? [{ ...fn, address, children: [] }] : [];
    const children = elementsAt(layout, functions, upstream.secondaryBus);
    if (children.length === 0) return [];
    return [{ ...uplink(children), classCode: CLASS.bridge, id: SWITCH_ID, address, children }];
  });
}

/** Nobody tells the uplink's own speed: it is taken to carry the fastest of what is below it. */
function uplink(children: readonly Link[]): Link {
  return {
    speed: Math.max(...children.map((c) => c.speed)),
    width: Math.max(...children.map((c) => c.width)),
  };
}

function written(element: Element, indent: string): string[] {
  const { address, classCode, id, children } = element;
  const [vendor, device] = id.split(":");
  const ids = vendor && device ? ` vendor="0x${vendor}" device="0x${device}"` : "";
  const link = `link_speed="${speedText(element.speed)}" link_width="${element.width}"`;
  const open = `${indent}<pci busid="${address}" class="${classCode}"${ids} ${link}`;
  if (children.length === 0) return [`${open}/>`];
  const below = children.flatMap((child) => written(child, `${indent}  `));
  return [`${open}>`, ...below, `${indent}</pci>`];
}

/** As Linux writes it since 5.7; empty, which NCCL takes for unknown, when it is. */
function speedText(gts: number): string {
  return gts === 0 ? "" : `${gts.toFixed(1)} GT/s PCIe`;
}

/** As in `/sys/devices/system/node/node<n>/cpumap`: words of 32 bits, highest first. */
function affinity(first: number, count: number, total: number): string {
  const mask = ((1n << BigInt(count)) - 1n) << BigInt(first);
  const words = Math.max(1, Math.ceil(total / MASK_BITS));
  return Array.from({ length: words }, (_, i) => {
    const word = (mask >> BigInt(MASK_BITS * (words - 1 - i))) & 0xffff_ffffn;
    return word.toString(16).padStart(8, "0");
  }).join(",");
}
