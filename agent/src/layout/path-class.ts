// How far two PCI functions are from each other, in the classes by which NCCL and nvidia-smi judge.
// Works on the bridges above them, so for hosts and guests alike.
import type { Inventory, Layout } from "../model.js";

/** From near to far. */
export const PATH_CLASSES = ["LOC", "NVL", "PIX", "PXB", "PHB", "SYS"] as const;
export type PathClass = (typeof PATH_CLASSES)[number];

export interface Endpoint {
  readonly numa: number;
  /** Bridges above it, root first. */
  readonly path: readonly string[];
  /** Joined by NVLink with every other endpoint that says so. */
  readonly nvlink?: boolean;
}

/**
 * LOC: the same; NVL: over NVLink; PIX: one switch between them; PXB: several switches, but no host
 * bridge; PHB: the host bridge of one NUMA node; SYS: between NUMA nodes (`nvidia-smi topo -m`).
 */
export function pathClass(a: Endpoint, b: Endpoint): PathClass {
  if (a === b) return "LOC";
  if (a.nvlink && b.nvlink) return "NVL";
  const differ = a.path.findIndex((bridge, i) => bridge !== b.path[i]);
  const common = differ === -1 ? a.path.length : differ;
  if (common === 0) return a.numa === b.numa ? "PHB" : "SYS";
  const own = Math.max(a.path.length, b.path.length) - common;
  // Below a switch each has at most its own downstream port.
  return own <= 1 ? "PIX" : "PXB";
}

/** Where a function of a guest sits, as an endpoint. */
export function guestEndpoint({ ports, expanders }: Layout, guestAddress: string): Endpoint {
  const path: string[] = [];
  let bus = busOf(guestAddress);
  for (let port = ports.find((p) => p.secondaryBus === bus); port; ) {
    path.unshift(addressOf(port.bus, port.slot));
    bus = port.bus;
    port = ports.find((p) => p.secondaryBus === bus);
  }
  const expander = expanders.find((e) => e.bus === bus);
  return { numa: expander?.guestNuma ?? -1, path };
}

/** How far each GPU of the layout is from each attachment's NIC: in the guest, and on its host. */
export function distances(
  { gpus, nics }: Pick<Inventory, "gpus" | "nics">,
  layout: Layout,
): { readonly guest: readonly PathClass[]; readonly host: readonly PathClass[] } {
  const guest: PathClass[] = [];
  const host: PathClass[] = [];
  for (const gpu of layout.gpus) {
    const hostGpu = gpus.find(({ deviceId }) => deviceId === gpu.deviceId);
    const guestGpu = guestEndpoint(layout, gpu.guestAddress);
    for (const vf of layout.attachments) {
      const nic = nics.find(({ deviceId }) => deviceId === vf.nic);
      guest.push(pathClass(guestGpu, guestEndpoint(layout, vf.guestAddress)));
      if (hostGpu && nic) host.push(pathClass(hostGpu, nic));
    }
  }
  return { guest, host };
}

/** `dddd:bb:dd.f` of function 0 in a slot of the guest. */
export function addressOf(bus: number, slot: number): string {
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  return `0000:${hex(bus)}:${hex(slot)}.0`;
}

/** Bus number of an address. */
export function busOf(address: string): number {
  return Number.parseInt(address.slice(5, 7), 16);
}
