// The layout of an instance as a message to its tenant. Only logical and guest-side terms leave
// here.
import { formatIpv4 } from "@railyard/lib/address";
import type { InstanceId } from "@railyard/lib/ids";
import {
  type GuestPciNode,
  GuestPciNodeKind,
  type InstanceLayout,
  type InstanceLayoutRow,
} from "@railyard/proto/gen/railyard/v1/instance_layout";
import type { GuestNode } from "../domain/guest-layout.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { AttachmentView, LayoutView } from "../service/attachment.js";
import { placeOf } from "./attachment.js";
import { reference } from "./resource.js";

const KINDS: Readonly<Record<GuestNode["kind"], GuestPciNodeKind>> = {
  expander: GuestPciNodeKind.GUEST_PCI_NODE_KIND_EXPANDER,
  "root-port": GuestPciNodeKind.GUEST_PCI_NODE_KIND_ROOT_PORT,
  "upstream-port": GuestPciNodeKind.GUEST_PCI_NODE_KIND_UPSTREAM_PORT,
  "downstream-port": GuestPciNodeKind.GUEST_PCI_NODE_KIND_DOWNSTREAM_PORT,
  gpu: GuestPciNodeKind.GUEST_PCI_NODE_KIND_GPU,
  attachment: GuestPciNodeKind.GUEST_PCI_NODE_KIND_ATTACHMENT,
  nvswitch: GuestPciNodeKind.GUEST_PCI_NODE_KIND_NVSWITCH,
};

/** Tree and texts are empty until the instance was seen running on its present host. */
export function layoutMessage(id: InstanceId, { attachments, guest }: LayoutView): InstanceLayout {
  return {
    instanceId: id,
    rows: attachments.map(layoutRow),
    ncclTopologyXml: guest?.ncclTopologyXml ?? "",
    ncclEnvironment: guest?.ncclEnvironment ?? "",
    networkSettings: guest?.networkSettings ?? "",
    kernelSettings: guest?.kernelSettings ?? "",
    guestTree: guest?.tree.map(guestNode) ?? [],
  };
}

function guestNode({ kind, depth, address, index, numa, gpuDistance }: GuestNode): GuestPciNode {
  return {
    kind: KINDS[kind],
    depth,
    guestPciAddress: address,
    index: index < 0 ? undefined : index,
    numaNode: numa < 0 ? undefined : numa,
    gpuDistance,
  };
}

function layoutRow(view: AttachmentView): InstanceLayoutRow {
  return {
    attachmentId: view.attachment.id,
    ...placeOf(view),
    name: view.attachment.name,
    subnet: reference(RESOURCE_TYPE.subnet, view.subnet),
    address: formatIpv4(view.primaryIp.address),
    macAddress: view.interface.mac,
  };
}
