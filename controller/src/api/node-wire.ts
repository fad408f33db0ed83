// Nodes and placed layouts as wire messages. Converts only.
import type { InstanceId } from "@railyard/lib/ids";
import {
  FenceMethod,
  type NodeFence,
  NodeRole,
  NodeState,
  type Node as WireNode,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  type NodeFlag,
  NodeFlagKind,
  type NodeGpu,
  NodeMismatchKind,
  type NodeInventory as WireInventory,
} from "@railyard/proto/gen/railyard/admin/v1/node_inventory";
import type { PlacedLayoutRow } from "@railyard/proto/gen/railyard/admin/v1/node_layout";
import { IsolationKind } from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import * as attachments from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { holdOf } from "../domain/hold.js";
import type { Mismatch, Node, NodeInventory } from "../domain/node.js";
import { lineOf } from "../domain/node-flag.js";
import { shownWarnings } from "../domain/node-warning.js";
import type { NodeView } from "../service/node.js";
import type { PlacedRow } from "../service/placed-layout.js";

const STATES: Readonly<Record<NodeView["state"], NodeState>> = {
  declared: NodeState.NODE_STATE_DECLARED,
  ready: NodeState.NODE_STATE_READY,
  suspect: NodeState.NODE_STATE_SUSPECT,
  lost: NodeState.NODE_STATE_LOST,
  fenced: NodeState.NODE_STATE_FENCED,
  returning: NodeState.NODE_STATE_RETURNING,
  quarantined: NodeState.NODE_STATE_QUARANTINED,
};

const ROLES = {
  hypervisor: NodeRole.NODE_ROLE_HYPERVISOR,
  fabric: NodeRole.NODE_ROLE_FABRIC,
} as const;

const MISMATCHES: Readonly<Record<Mismatch["kind"], NodeMismatchKind>> = {
  serial: NodeMismatchKind.NODE_MISMATCH_KIND_SERIAL,
  "gpu-count": NodeMismatchKind.NODE_MISMATCH_KIND_GPU_COUNT,
  "gpu-device": NodeMismatchKind.NODE_MISMATCH_KIND_GPU_DEVICE,
  "nic-count": NodeMismatchKind.NODE_MISMATCH_KIND_NIC_COUNT,
  "nic-device": NodeMismatchKind.NODE_MISMATCH_KIND_NIC_DEVICE,
  "nic-vfs": NodeMismatchKind.NODE_MISMATCH_KIND_VF_COUNT,
  "nic-speed": NodeMismatchKind.NODE_MISMATCH_KIND_NIC_SPEED,
  pairing: NodeMismatchKind.NODE_MISMATCH_KIND_PAIRING,
  "wiring-swapped": NodeMismatchKind.NODE_MISMATCH_KIND_WIRING,
  "wiring-unknown": NodeMismatchKind.NODE_MISMATCH_KIND_WIRING,
  "wiring-missing": NodeMismatchKind.NODE_MISMATCH_KIND_LINK_DOWN,
  iommu: NodeMismatchKind.NODE_MISMATCH_KIND_IOMMU,
  memory: NodeMismatchKind.NODE_MISMATCH_KIND_MEMORY,
  vcpu: NodeMismatchKind.NODE_MISMATCH_KIND_VCPU,
  disk: NodeMismatchKind.NODE_MISMATCH_KIND_DISK,
};

const FLAGS: Readonly<Record<Node["flags"][number]["code"], NodeFlagKind>> = {
  "second-session": NodeFlagKind.NODE_FLAG_KIND_SECOND_SESSION_REFUSED,
  "superseded-session-spoke": NodeFlagKind.NODE_FLAG_KIND_SESSION_TAKEN_OVER,
  "generation-unknown": NodeFlagKind.NODE_FLAG_KIND_UNKNOWN_GENERATION,
  "contradictory-desired": NodeFlagKind.NODE_FLAG_KIND_LEDGER_CONTRADICTED,
  "signature-invalid": NodeFlagKind.NODE_FLAG_KIND_SIGNATURE_INVALID,
  "unknown-instance": NodeFlagKind.NODE_FLAG_KIND_UNKNOWN_INSTANCE,
  "apply-failed": NodeFlagKind.NODE_FLAG_KIND_APPLY_FAILED,
  "inventory-withheld": NodeFlagKind.NODE_FLAG_KIND_INVENTORY_WITHHELD,
};

const ISOLATION = {
  vlan: IsolationKind.ISOLATION_KIND_VLAN,
  vni: IsolationKind.ISOLATION_KIND_VNI,
  pkey: IsolationKind.ISOLATION_KIND_PKEY,
} as const;

const OBSERVED = {
  pending: attachments.AttachmentObserved.ATTACHMENT_OBSERVED_PENDING,
  applied: attachments.AttachmentObserved.ATTACHMENT_OBSERVED_APPLIED,
  degraded: attachments.AttachmentObserved.ATTACHMENT_OBSERVED_DEGRADED,
} as const;

/** Of what agents saw, characters; their names for it are somebody else's. */
const SEEN_MAX = 256;
const NEIGHBOUR_MAX = 128;

/** The state of a filter; undefined = one that no node is ever in here, or that is newer. */
export function toState(wire: NodeState): NodeView["state"] | undefined {
  const found = Object.entries(STATES).find(([, state]) => state === wire);
  return found?.[0] as NodeView["state"] | undefined;
}

export function toWireNode(view: NodeView): WireNode {
  const { node, pulse } = view;
  const { id, name, serial, zone, leafGroup, hardware, cordoned, cordonReason } = node;
  return {
    id,
    name,
    etag: view.etag,
    serial,
    zone,
    physicalCluster: view.physicalCluster,
    leafGroup,
    hardware,
    state: STATES[view.state],
    cordoned,
    cordonReason,
    draining: false,
    session: node.session ?? "",
    incarnation: node.incarnation === 0 ? "" : String(node.incarnation),
    bootId: node.bootId,
    agentVersion: node.agentVersion,
    epoch: view.epoch,
    desiredGeneration: node.generation,
    acceptedGeneration: node.acceptedGeneration,
    appliedGeneration: node.appliedGeneration,
    lastHeartbeatAt: pulse && new Date(pulse.at),
    mismatches: node.mismatches.map(({ kind, rail, expected, seen }) => {
      return { kind: MISMATCHES[kind], rail, expected, seen: lineOf(seen).slice(0, SEEN_MAX) };
    }),
    flags: node.flags.map(wireFlag),
    inventory: node.inventory && wireInventory(view, node.inventory),
    instanceCount: instancesOf(view).size,
    fence: node.fence && wireFence(node.fence),
    role: ROLES[node.role ?? "hypervisor"],
  };
}

/** Instances that claim devices of the node; the members of holds are none. */
function instancesOf({ claims }: NodeView): ReadonlySet<InstanceId> {
  const claimants = claims.gpus.map(({ instanceId }) => instanceId);
  return new Set(claimants.filter((id) => holdOf(id) === undefined));
}

function holderOf(claimant: InstanceId | undefined): Pick<NodeGpu, "instanceId" | "holdId"> {
  const holdId = claimant && holdOf(claimant);
  return { instanceId: holdId ? "" : (claimant ?? ""), holdId: holdId ?? "" };
}

function wireFence({ reason, by, at }: NonNullable<Node["fence"]>): NodeFence {
  const method = FenceMethod.FENCE_METHOD_OPERATOR_WORD;
  return { method, reason, principal: by, fencedAt: new Date(at) };
}

function wireFlag({ code, message, at }: Node["flags"][number]): NodeFlag {
  return { kind: FLAGS[code], message, raisedAt: new Date(at) };
}

function wireInventory(view: NodeView, inventory: NodeInventory): WireInventory {
  const { claims, hardware, node } = view;
  const holders = new Map(claims.gpus.map((gpu) => [gpu.deviceId, gpu.instanceId]));
  const rails = new Map(node.pairs.map((pair) => [pair.nic, pair.rail]));
  const nics = inventory.nics.map((nic) => ({
    deviceId: nic.deviceId,
    pfName: nic.pfName,
    pciAddress: nic.pciAddress,
    rail: rails.get(nic.deviceId),
    numaNode: known(nic.numa),
    speedGbps: nic.speedGbps,
    linkUp: nic.ports.length > 0 && nic.ports.every(({ up }) => up),
    neighbour: lineOf(nic.ports.map(({ neighbour }) => neighbour).join(",")).slice(
      0,
      NEIGHBOUR_MAX,
    ),
    vfCount: nic.vfsMax,
    usedVfCount: claims.vfs.filter((vf) => vf.nic === nic.deviceId).length,
  }));
  return {
    vcpu: inventory.vcpu,
    memoryGib: Math.floor(inventory.memoryMib / 1_024),
    diskGb: Math.floor((inventory.diskGib * 2 ** 30) / 1e9),
    numaCount: inventory.numaCount,
    freeGpuCount: node.fence
      ? 0
      : inventory.gpus.filter(({ deviceId }) => !holders.has(deviceId)).length,
    gpus: inventory.gpus.map(({ deviceId, pciAddress, pciId, numa }) => ({
      deviceId,
      pciAddress,
      model: pciId === hardware?.gpus.pci ? hardware.gpus.model : "",
      pciId,
      numaNode: known(numa),
      ...holderOf(holders.get(deviceId)),
      blocked: node.fence !== undefined,
    })),
    nics: nics.sort((a, b) => (a.rail ?? nics.length) - (b.rail ?? nics.length)),
    warnings: [...shownWarnings(inventory)],
    warningCount: inventory.warnings.length,
  };
}

function known(numa: number): number | undefined {
  return numa < 0 ? undefined : numa;
}

export function toWireRow(row: PlacedRow): PlacedLayoutRow {
  const { instance, attachment, node, gpu, nic } = row;
  return {
    instanceId: instance.id,
    instanceName: instance.name,
    account: instance.account,
    attachmentId: attachment.id,
    position: attachment.position,
    nodeId: node.id,
    nodeName: node.name,
    rail: row.rail,
    gpuDeviceId: gpu.deviceId,
    gpuPciAddress: gpu.pciAddress,
    nicDeviceId: nic.deviceId,
    pfName: nic.pfName,
    pfPciAddress: nic.pciAddress,
    vfIndex: row.vf,
    vfPciAddress: attachment.hostPciAddress,
    macAddress: row.mac,
    isolationKind: ISOLATION[row.isolation.kind],
    isolationId: row.isolation.id,
    guestPciAddress: attachment.guestPciAddress,
    observed: OBSERVED[attachment.observed],
  };
}
