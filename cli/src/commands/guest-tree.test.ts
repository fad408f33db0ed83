// Tests of the drawn tree.
import {
  GuestPciNode,
  InstanceLayoutRow,
  GuestPciNodeKind as Kind,
} from "@railyard/proto/gen/railyard/v1/instance_layout";
import { expect, test } from "vitest";
import { guestTreeLines } from "./guest-tree.js";

function node(depth: number, kind: Kind, more: Partial<GuestPciNode>) {
  return GuestPciNode.fromPartial({ depth, kind, ...more });
}

test("a guest's tree shows bridges, switches, devices, and how far NICs are from GPUs", () => {
  const tree = [
    node(0, Kind.GUEST_PCI_NODE_KIND_EXPANDER, { guestPciAddress: "0000:10:00.0", numaNode: 0 }),
    node(1, Kind.GUEST_PCI_NODE_KIND_ROOT_PORT, { guestPciAddress: "0000:10:00.0" }),
    node(2, Kind.GUEST_PCI_NODE_KIND_UPSTREAM_PORT, { guestPciAddress: "0000:11:00.0" }),
    node(3, Kind.GUEST_PCI_NODE_KIND_DOWNSTREAM_PORT, { guestPciAddress: "0000:12:00.0" }),
    node(4, Kind.GUEST_PCI_NODE_KIND_GPU, { guestPciAddress: "0000:13:00.0", index: 0 }),
    node(3, Kind.GUEST_PCI_NODE_KIND_DOWNSTREAM_PORT, { guestPciAddress: "0000:12:01.0" }),
    node(4, Kind.GUEST_PCI_NODE_KIND_ATTACHMENT, {
      guestPciAddress: "0000:14:00.0",
      index: 0,
      gpuDistance: "PIX",
    }),
    node(1, Kind.GUEST_PCI_NODE_KIND_ROOT_PORT, { guestPciAddress: "0000:10:01.0" }),
    node(2, Kind.GUEST_PCI_NODE_KIND_NVSWITCH, { guestPciAddress: "0000:15:00.0", index: 0 }),
  ];
  const rows = [InstanceLayoutRow.fromPartial({ position: 0, name: "rail-0", gpuIndex: 0 })];
  expect(guestTreeLines(tree, rows)).toEqual([
    "host bridge 0000:10, NUMA 0",
    "  0000:11:00.0 switch",
    "    0000:13:00.0 GPU 0",
    "    0000:14:00.0 position 0 rail-0, PIX to GPU 0",
    "  0000:15:00.0 NVSwitch 0",
  ]);
});
