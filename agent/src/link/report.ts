// Turns what the agent knows and saw into wire messages. It converts and no more.
import { factsDigest } from "@railyard/lib/attest";
import {
  AttachmentObservation,
  type InstanceReport as WireInstanceReport,
  type Inventory as WireInventory,
  type GuestLayout as WireLayout,
  InstancePhase as WirePhase,
  type SignedDesired as WireSigned,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type {
  DeviceTrace,
  GuestView,
  InstancePhase,
  InstanceReport,
  Inventory,
  SignedDesired,
} from "../model.js";

const PHASES: Record<InstancePhase, WirePhase> = {
  applying: WirePhase.INSTANCE_PHASE_APPLYING,
  present: WirePhase.INSTANCE_PHASE_PRESENT,
  removing: WirePhase.INSTANCE_PHASE_REMOVING,
  failed: WirePhase.INSTANCE_PHASE_FAILED,
};

const OBSERVATIONS = {
  pending: AttachmentObservation.ATTACHMENT_OBSERVATION_PENDING,
  applied: AttachmentObservation.ATTACHMENT_OBSERVATION_APPLIED,
  degraded: AttachmentObservation.ATTACHMENT_OBSERVATION_DEGRADED,
} as const;

export function wireInventory(inventory: Inventory): WireInventory {
  const { numaCount, vcpu, memoryMib, diskGib, gpus, nics, pairs, warnings } = inventory;
  const { nvSwitches, fabricManager } = inventory;
  return {
    numaCount,
    vcpu,
    memoryMib: BigInt(memoryMib),
    diskGib: BigInt(diskGib),
    gpus: [...gpus],
    nics: nics.map((n) => ({ ...n, ports: [...n.ports] })),
    pairs: [...pairs],
    warnings: [...warnings],
    nvSwitches: nvSwitches.length,
    fabricManager,
  };
}

export function wireInstance(report: InstanceReport): WireInstanceReport {
  const { instanceId, phase, facts, reason, attachments, devices, failures } = report;
  return {
    instanceId,
    phase: PHASES[phase],
    digest: facts ? factsDigest(facts) : "",
    reason,
    attachments: attachments.map((a) => ({ ...a, observation: OBSERVATIONS[a.observation] })),
    devices: devices.map(wireTrace),
    failedSteps: failures.map((f) => ({ step: f.key, reason: f.reason })),
    layout: undefined,
  };
}

/** A layout as it is told beside its instance. */
export function wireLayout({ tree, qemuArguments, ...texts }: GuestView): WireLayout {
  return { ...texts, tree: tree.map((row) => ({ ...row })), qemuArguments: [...qemuArguments] };
}

export function wireTrace({ deviceId, vf }: DeviceTrace) {
  return vf === undefined ? { deviceId } : { deviceId, vf };
}

export function wireSigned(signed: SignedDesired): WireSigned {
  const { body, signature, ...scope } = signed;
  return { ...scope, body: Buffer.from(body), signature: Buffer.from(signature) };
}
