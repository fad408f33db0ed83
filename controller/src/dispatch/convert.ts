// Messages between controller and agents ⇄ the controller's own words. Whatever an agent sends is
// taken within bounds or refused as malformed; nothing here trusts a length or an enum.
import { type FieldViolation, invalid } from "@railyard/lib/errors";
import { isId, type NodeId, type SessionId } from "@railyard/lib/ids";
import {
  AttachmentObservation,
  DesiredState,
  type Hello,
  type InjectedFault,
  InjectedFaultKind,
  InstancePhase,
  type Inventory,
  IsolationKind,
  type Report,
  type GuestLayout as WireLayout,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { DesiredAttachment, DesiredInstance, DesiredNode } from "../domain/desired.js";
import { GUEST_NODE_KINDS, type GuestLayout, type GuestNode } from "../domain/guest-layout.js";
import type { NodeInventory } from "../domain/node.js";
import type { FaultKind } from "../domain/node-fault.js";
import type { DeviceTrace, InstanceObservation } from "../domain/observation.js";
import type { HelloInput } from "../service/hello.js";
import type { ReportInput } from "../service/status.js";
import { partitionsFrom, wirePartition } from "./partitions.js";

const TEXT_MAX = 256;
const REASON_MAX = 1_024;
const DEVICES_MAX = 64;
const PORTS_MAX = 16;
const INSTANCES_MAX = 1_024;
const TRACES_MAX = 4_096;
const ATTACHMENTS_MAX = 256;
const ARGUMENT_MAX = 512;
/** As the API answers with them (`instance_layout.proto`, `node_layout.proto`). */
const LAYOUT_MAX = {
  tree: 1_024,
  ncclTopologyXml: 65_536,
  ncclEnvironment: 8_192,
  networkSettings: 32_768,
  kernelSettings: 8_192,
  qemuArguments: 2_048,
} as const;

const ISOLATION = {
  vlan: IsolationKind.ISOLATION_KIND_VLAN,
  vni: IsolationKind.ISOLATION_KIND_VNI,
  pkey: IsolationKind.ISOLATION_KIND_PKEY,
} as const;

const FAULTS: Readonly<Record<FaultKind, InjectedFaultKind>> = {
  "vf-dropped": InjectedFaultKind.INJECTED_FAULT_KIND_VF_DROPPED,
  "vf-swapped": InjectedFaultKind.INJECTED_FAULT_KIND_VF_SWAPPED,
  "link-down": InjectedFaultKind.INJECTED_FAULT_KIND_LINK_DOWN,
  "link-slow": InjectedFaultKind.INJECTED_FAULT_KIND_LINK_SLOW,
  "gpu-lost": InjectedFaultKind.INJECTED_FAULT_KIND_GPU_LOST,
  "apply-fails": InjectedFaultKind.INJECTED_FAULT_KIND_APPLY_FAILS,
  "apply-hangs": InjectedFaultKind.INJECTED_FAULT_KIND_APPLY_HANGS,
  "machine-hangs": InjectedFaultKind.INJECTED_FAULT_KIND_MACHINE_HANGS,
  "machine-reboots": InjectedFaultKind.INJECTED_FAULT_KIND_MACHINE_REBOOTS,
  "wrong-neighbour": InjectedFaultKind.INJECTED_FAULT_KIND_WRONG_NEIGHBOUR,
  "guest-crashes": InjectedFaultKind.INJECTED_FAULT_KIND_GUEST_CRASHES,
};

/** The body of a desired state: the same content gives the same bytes. */
export function encodeDesired(desired: DesiredNode): Uint8Array {
  const { vfsPerNic, instances, faults, partitions = [] } = desired;
  const state = {
    partitions: partitions.map(wirePartition),
    instances: instances.map(wireInstance),
    faults: faults.map(wireFault),
  };
  return DesiredState.encode({ vfsPerNic, ...state }).finish();
}

function wireFault({ kind, times = 0, ...rest }: DesiredNode["faults"][number]): InjectedFault {
  return { ...rest, kind: FAULTS[kind], times };
}

function wireInstance(instance: DesiredInstance): DesiredState["instances"][number] {
  const { gpus, attachments, image, volumes, vpcNics, sshKeys, ...rest } = instance;
  return {
    gpus: [...gpus],
    ...rest,
    bootCount: BigInt(instance.bootCount),
    memoryMib: BigInt(instance.memoryMib),
    attachments: attachments.map(wireAttachment),
    image: { ...image, sizeBytes: BigInt(image.sizeBytes) },
    volumes: volumes.map((volume) => ({ ...volume })),
    vpcNics: vpcNics.map((nic) => ({ ...nic })),
    userData: Buffer.from(instance.userData, "base64"),
    sshKeys: [...sshKeys],
  };
}

function wireAttachment({ isolation, ...rest }: DesiredAttachment) {
  return { ...rest, isolation: { kind: ISOLATION[isolation.kind], id: isolation.id } };
}

/**
 * A Hello from `nodeId`'s own subject; `ours` = whether our signature on its accepted state
 * verifies. Throws `invalid`.
 */
export function helloFrom(nodeId: NodeId, hello: Hello, ours: boolean): HelloInput {
  const faults = new Bounds();
  faults.must(hello.nodeId === nodeId, "node_id", "is not the node of the subject");
  faults.must(isId(hello.session), "session", "is not an id");
  faults.must(hello.inventory !== undefined, "inventory", "is missing");
  faults.text("boot_id", hello.bootId);
  faults.text("serial", hello.serial);
  faults.text("agent_version", hello.agentVersion);
  if (hello.inventory) faults.inventory(hello.inventory);
  faults.throwIfAny();
  const { incarnation, bootId, serial, agentVersion, fake, inventory, accepted } = hello;
  return {
    nodeId,
    session: hello.session as SessionId,
    incarnation,
    bootId,
    serial,
    agentVersion,
    fake,
    inventory: inventoryFrom(inventory),
    accepted: accepted && { epoch: accepted.epoch, generation: accepted.generation, ours },
  };
}

/** A report from `nodeId`'s own subject. Throws `invalid`. */
export function reportFrom(nodeId: NodeId, report: Report): ReportInput {
  const faults = new Bounds();
  faults.must(report.nodeId === nodeId, "node_id", "is not the node of the subject");
  faults.must(isId(report.session), "session", "is not an id");
  faults.count("instances", report.instances, INSTANCES_MAX);
  faults.count("residues", report.residues, TRACES_MAX);
  for (const instance of report.instances) {
    faults.must(isId(instance.instanceId), "instances.instance_id", "is not an id");
    faults.text("instances.digest", instance.digest);
    faults.count("instances.attachments", instance.attachments, ATTACHMENTS_MAX);
    faults.count("instances.devices", instance.devices, TRACES_MAX);
    faults.count("instances.failed_steps", instance.failedSteps, TRACES_MAX);
    for (const { guestPciAddress, hostPciAddress } of instance.attachments) {
      faults.text("instances.attachments.guest_pci_address", guestPciAddress);
      faults.text("instances.attachments.host_pci_address", hostPciAddress);
    }
  }
  if (report.inventory) faults.inventory(report.inventory);
  faults.throwIfAny();
  const { session, epoch, generation, instances, residues, complete, inventory } = report;
  const partitions = partitionsFrom(report.partitions);
  return {
    nodeId,
    session,
    epoch,
    generation,
    instances: instances.map(observationFrom),
    residues: residues.map(traceFrom),
    partitions,
    complete,
    inventory: inventory && inventoryFrom(inventory),
  };
}

const PHASES: Readonly<Partial<Record<InstancePhase, InstanceObservation["phase"]>>> = {
  [InstancePhase.INSTANCE_PHASE_APPLYING]: "applying",
  [InstancePhase.INSTANCE_PHASE_PRESENT]: "present",
  [InstancePhase.INSTANCE_PHASE_REMOVING]: "removing",
  [InstancePhase.INSTANCE_PHASE_FAILED]: "failed",
};

const OBSERVED: Readonly<
  Partial<Record<AttachmentObservation, InstanceObservation["attachments"][number]["observed"]>>
> = {
  [AttachmentObservation.ATTACHMENT_OBSERVATION_APPLIED]: "applied",
  [AttachmentObservation.ATTACHMENT_OBSERVATION_DEGRADED]: "degraded",
};

/** What a newer agent says in words unknown here counts as not there yet. */
function observationFrom(report: Report["instances"][number]): InstanceObservation {
  return {
    instanceId: report.instanceId,
    phase: PHASES[report.phase] ?? "applying",
    digest: report.digest,
    reason: report.reason.slice(0, REASON_MAX),
    attachments: report.attachments.map(({ observation, ...where }) => ({
      ...where,
      observed: OBSERVED[observation] ?? "pending",
    })),
    devices: report.devices.map(traceFrom),
    layout: report.layout && layoutFrom(report.layout),
    failedSteps: report.failedSteps.map(({ step, reason }) => ({
      step: step.slice(0, TEXT_MAX),
      reason: reason.slice(0, REASON_MAX),
    })),
  };
}

/** It is only shown: one that is too large, or of which a part is not known here, is left out. */
function layoutFrom(wire: WireLayout): GuestLayout | undefined {
  const tree = wire.tree.flatMap(({ kind, ...rest }): GuestNode[] => {
    const known = GUEST_NODE_KINDS.find((one) => one === kind);
    return known ? [{ ...rest, kind: known }] : [];
  });
  const { ncclTopologyXml, ncclEnvironment, networkSettings, kernelSettings } = wire;
  const texts = { ncclTopologyXml, ncclEnvironment, networkSettings, kernelSettings };
  const layout = { tree, ...texts, qemuArguments: wire.qemuArguments };
  const tooLong = Object.entries(LAYOUT_MAX).some(([name, max]) => {
    return layout[name as keyof typeof LAYOUT_MAX].length > max;
  });
  const isWhole = tree.length === wire.tree.length && tree.every((n) => n.address.length <= 16);
  const isShort = wire.qemuArguments.every((one) => one.length <= ARGUMENT_MAX);
  return isWhole && isShort && !tooLong ? layout : undefined;
}

function traceFrom({ deviceId, vf }: Report["residues"][number]): DeviceTrace {
  return { deviceId, vf };
}

function inventoryFrom(inventory: Inventory | undefined): NodeInventory {
  if (!inventory) throw invalid([{ field: "inventory", description: "is missing" }]);
  const { numaCount, vcpu, memoryMib, diskGib, gpus, nics, pairs, warnings } = inventory;
  const { nvSwitches, fabricManager } = inventory;
  return {
    numaCount,
    vcpu,
    memoryMib: Number(memoryMib),
    diskGib: Number(diskGib),
    gpus: gpus.map(({ deviceId, pciAddress, pciId, numa, module }) => {
      return { deviceId, pciAddress, pciId, numa, ...(module !== undefined && { module }) };
    }),
    nics: nics.map((nic) => ({
      deviceId: nic.deviceId,
      pciAddress: nic.pciAddress,
      pciId: nic.pciId,
      numa: nic.numa,
      pfName: nic.pfName,
      permanentMac: nic.permanentMac,
      speedGbps: nic.speedGbps,
      vfsMax: nic.vfsMax,
      ports: nic.ports.map(({ port, neighbour, up }) => ({ port, neighbour, up })),
    })),
    pairs: pairs.map(({ gpu, nic }) => ({ gpu, nic })),
    warnings: warnings.map(({ kind, deviceId, message }) => {
      return { kind, deviceId, message: message.slice(0, REASON_MAX) };
    }),
    nvSwitches,
    fabricManager,
  };
}

/** Collects what is out of bounds. */
class Bounds {
  private readonly faults: FieldViolation[] = [];

  must(holds: boolean, field: string, description: string): void {
    if (!holds && this.faults.length < DEVICES_MAX) this.faults.push({ field, description });
  }

  text(field: string, value: string): void {
    this.must(value.length <= TEXT_MAX, field, `is longer than ${TEXT_MAX}`);
  }

  count(field: string, list: readonly unknown[], max: number): void {
    this.must(list.length <= max, field, `has more than ${max} items`);
  }

  inventory(of: Inventory): void {
    this.count("inventory.gpus", of.gpus, DEVICES_MAX);
    this.count("inventory.nics", of.nics, DEVICES_MAX);
    this.count("inventory.pairs", of.pairs, DEVICES_MAX);
    this.count("inventory.warnings", of.warnings, DEVICES_MAX * PORTS_MAX);
    for (const nic of of.nics) this.count("inventory.nics.ports", nic.ports, PORTS_MAX);
    const texts = [...of.gpus, ...of.nics, ...of.nics.flatMap(({ ports }) => ports)]
      .flatMap((row) => Object.values(row))
      .filter((value) => typeof value === "string");
    for (const value of texts) this.text("inventory", value);
    for (const value of [of.memoryMib, of.diskGib]) {
      this.must(value <= BigInt(Number.MAX_SAFE_INTEGER), "inventory", "is too large");
    }
  }

  throwIfAny(): void {
    if (this.faults.length > 0) throw invalid(this.faults);
  }
}
