// Draws the PCI tree of a guest for people: host bridges, switches and devices, without the ports
// between them.
import {
  type GuestPciNode,
  type InstanceLayoutRow,
  GuestPciNodeKind as Kind,
} from "@railyard/proto/gen/railyard/v1/instance_layout";

const INDENT = "  ";
const PORTS: readonly Kind[] = [
  Kind.GUEST_PCI_NODE_KIND_ROOT_PORT,
  Kind.GUEST_PCI_NODE_KIND_DOWNSTREAM_PORT,
];

/** One line for each node that is shown; none while there is no tree. */
export function guestTreeLines(
  tree: readonly GuestPciNode[],
  rows: readonly InstanceLayoutRow[],
): readonly string[] {
  const above: number[] = [];
  return tree.flatMap((node) => {
    while (above.length > 0 && (above.at(-1) ?? 0) >= node.depth) above.pop();
    if (PORTS.includes(node.kind)) return [];
    const line = `${INDENT.repeat(above.length)}${textOf(node, rows)}`;
    above.push(node.depth);
    return [line];
  });
}

function textOf(node: GuestPciNode, rows: readonly InstanceLayoutRow[]): string {
  const { kind, guestPciAddress: at, index = 0, numaNode, gpuDistance } = node;
  switch (kind) {
    case Kind.GUEST_PCI_NODE_KIND_EXPANDER:
      return `host bridge ${at.slice(0, 7)}${numaNode === undefined ? "" : `, NUMA ${numaNode}`}`;
    case Kind.GUEST_PCI_NODE_KIND_UPSTREAM_PORT:
      return `${at} switch`;
    case Kind.GUEST_PCI_NODE_KIND_GPU:
      return `${at} GPU ${index}`;
    case Kind.GUEST_PCI_NODE_KIND_NVSWITCH:
      return `${at} NVSwitch ${index}`;
    case Kind.GUEST_PCI_NODE_KIND_ATTACHMENT: {
      const row = rows.find(({ position }) => position === index);
      const gpu = row?.gpuIndex === undefined ? "its GPU" : `GPU ${row.gpuIndex}`;
      const name = row ? ` ${row.name}` : "";
      return `${at} position ${index}${name}, ${gpuDistance} to ${gpu}`;
    }
    default:
      return at;
  }
}
