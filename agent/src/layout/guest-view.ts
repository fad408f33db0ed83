// A compiled layout as others get to see it: the guest's PCI tree, the texts for its owner, the
// arguments for operators. Only the arguments may name anything of the host.
import type {
  DesiredInstance,
  GuestFunction,
  GuestTreeRow,
  GuestView,
  Inventory,
  Layout,
} from "../model.js";
import { ncclTopology } from "./nccl.js";
import { addressOf, guestEndpoint, pathClass } from "./path-class.js";
import { qemuArguments } from "./qemu.js";
import { guestSettings } from "./settings.js";

export interface ViewInput {
  readonly inventory: Inventory;
  readonly instance: DesiredInstance;
  readonly layout: Layout;
  readonly functions: readonly GuestFunction[];
}

export function guestView({ inventory, instance, layout, functions }: ViewInput): GuestView {
  const { vcpu, memoryMib } = instance;
  return {
    tree: guestTree(instance, layout),
    ncclTopologyXml: ncclTopology(inventory, instance, layout),
    ...guestSettings(instance, layout),
    qemuArguments: qemuArguments({ layout, vcpu, memoryMib, functions }),
  };
}

/** Expanders with everything below them, top down, in bus order. */
export function guestTree(instance: DesiredInstance, layout: Layout): readonly GuestTreeRow[] {
  const functions = functionRows(instance, layout);
  const rows: GuestTreeRow[] = [];
  const descend = (bus: number, depth: number): void => {
    for (const port of layout.ports.filter((p) => p.bus === bus)) {
      const { kind, secondaryBus } = port;
      rows.push({ ...BLANK, kind: PORT_KINDS[kind], depth, address: addressOf(bus, port.slot) });
      const fn = functions.get(addressOf(secondaryBus, 0));
      if (fn) rows.push({ ...fn, depth: depth + 1 });
      else descend(secondaryBus, depth + 1);
    }
  };
  for (const { bus, guestNuma: numa } of layout.expanders) {
    rows.push({ ...BLANK, kind: "expander", depth: 0, address: addressOf(bus, 0), numa });
    descend(bus, 1);
  }
  return rows;
}

const PORT_KINDS = {
  root: "root-port",
  upstream: "upstream-port",
  downstream: "downstream-port",
} as const;

const BLANK = { index: -1, numa: -1, gpuDistance: "" } as const;

function functionRows(
  { attachments }: DesiredInstance,
  layout: Layout,
): ReadonlyMap<string, Omit<GuestTreeRow, "depth">> {
  const rows = new Map<string, Omit<GuestTreeRow, "depth">>();
  const add = (row: Omit<GuestTreeRow, "depth">) => rows.set(row.address, row);
  for (const [index, { guestAddress: address }] of layout.gpus.entries()) {
    add({ ...BLANK, kind: "gpu", index, address });
  }
  for (const [index, { guestAddress: address }] of layout.nvSwitches.entries()) {
    add({ ...BLANK, kind: "nvswitch", index, address });
  }
  for (const { position: index, guestAddress: address } of layout.attachments) {
    const gpu = layout.gpus[attachments[index]?.pair ?? -1];
    const [a, b] = [address, gpu?.guestAddress ?? ""].map((at) => guestEndpoint(layout, at));
    const gpuDistance = gpu && a && b ? pathClass(a, b) : "";
    add({ ...BLANK, kind: "attachment", index, address, gpuDistance });
  }
  return rows;
}
