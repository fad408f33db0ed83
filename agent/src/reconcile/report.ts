// What one pass found, instance by instance, in words for operators. Pure; it must not know who
// reads it.
import { guestView } from "../layout/guest-view.js";
import type {
  DesiredAttachment,
  DesiredInstance,
  DeviceTrace,
  GuestView,
  InstanceReport,
  ObservedGuest,
  Step,
  StepFailure,
} from "../model.js";
import { partitionDoubt } from "./diff/partitions.js";
import { isAsDesired, type Situation, VFIO, View } from "./diff/view.js";
import { readBack } from "./facts.js";

/** A step that did not succeed, with the instance it was for. */
export interface FailedStep extends StepFailure {
  readonly instanceId: string;
}

export interface Findings {
  readonly instances: readonly InstanceReport[];
  readonly residues: readonly DeviceTrace[];
}

/**
 * Tells what was seen after a pass: `pending` is what the diff still asks for, `failed` what was
 * tried in vain. Lists every desired instance and every guest; the remaining traces are residues.
 */
export function findings(
  situation: Situation,
  pending: readonly Step[],
  failed: readonly FailedStep[],
): Findings {
  const view = new View(situation);
  const wanted = new Set(view.instances.map((i) => i.instanceId));
  const strangers = view.observed.guests.filter((g) => !wanted.has(g.instanceId));
  const report = { situation, view, pending, failed };
  return {
    instances: [
      ...view.instances.map((i) => desiredReport(report, i)),
      ...strangers.map((g) => strangerReport(report, g)),
    ],
    residues: view
      .traces()
      .filter((t) => t.holder === undefined && view.wanterOf(t.trace) === undefined)
      .map((t) => t.trace),
  };
}

interface Material {
  readonly situation: Situation;
  readonly view: View;
  readonly pending: readonly Step[];
  readonly failed: readonly FailedStep[];
}

function desiredReport(material: Material, instance: DesiredInstance): InstanceReport {
  const { situation, view } = material;
  const { instanceId } = instance;
  const guest = view.observed.guests.find((g) => g.instanceId === instanceId);
  const layout = situation.layouts.get(instanceId);
  const failures = failuresOf(material, instanceId);
  const reason = reasonOf(material, instance, failures);
  return {
    instanceId,
    phase: layout?.ok ? (reason === "" && guest?.running ? "present" : "applying") : "failed",
    facts: guest && layout?.ok ? readBack(view, guest, layout.layout) : undefined,
    view: reason === "" && guest?.running ? viewOf(material, instance) : undefined,
    reason,
    attachments: instance.attachments.map((a) => attachmentReport(material, guest, a)),
    devices: devicesOf(view, instanceId),
    failures,
  };
}

function viewOf({ situation, view }: Material, instance: DesiredInstance): GuestView | undefined {
  const { inventory } = situation;
  const spec = view.specOf(instance);
  return spec && guestView({ ...spec, inventory, instance });
}

/** A guest that is not desired: on its way out, or left alone while nothing was ever accepted. */
function strangerReport(material: Material, guest: ObservedGuest): InstanceReport {
  const { situation, view } = material;
  const { instanceId } = guest;
  const failures = failuresOf(material, instanceId);
  return {
    instanceId,
    phase: situation.desired ? "removing" : "present",
    facts: undefined,
    view: undefined,
    reason: failures[0]?.reason ?? "",
    attachments: [],
    devices: devicesOf(view, instanceId),
    failures,
  };
}

function failuresOf({ failed }: Material, instanceId: string): StepFailure[] {
  return failed
    .filter((f) => f.instanceId === instanceId)
    .map(({ key, reason }) => ({ key, reason }));
}

function reasonOf(
  { situation, view, pending }: Material,
  instance: DesiredInstance,
  failures: readonly StepFailure[],
): string {
  if (view.unread("")) return "the guests could not be read";
  const first = failures[0];
  if (first) return `${first.key}: ${first.reason}`;
  const obstacle = view.obstacle(instance);
  if (obstacle) return obstacle;
  const next = pending.find((s) => s.instanceId === instance.instanceId);
  if (!next) return partitionDoubt(view, instance);
  const ended = situation.ends?.get(instance.instanceId);
  return `${ended === undefined ? "" : `${ended}; `}still to do: ${next.key}`;
}

function devicesOf(view: View, instanceId: string): DeviceTrace[] {
  return view
    .traces()
    .filter((t) => (t.holder ?? view.wanterOf(t.trace)) === instanceId)
    .map((t) => t.trace);
}

function attachmentReport(
  { situation, view }: Material,
  guest: ObservedGuest | undefined,
  attachment: DesiredAttachment,
): InstanceReport["attachments"][number] {
  const { position, nic } = attachment;
  const vf = view.vf(nic, attachment.vf);
  const seen = guest?.functions.find((f) => f.hostAddress === vf?.pciAddress);
  const result = guest && situation.layouts.get(guest.instanceId);
  const slot = result?.ok ? result.layout.attachments[position] : undefined;
  const applied =
    vf?.driver === VFIO &&
    isAsDesired(vf, attachment) &&
    seen !== undefined &&
    seen.guestAddress === slot?.guestAddress;
  return {
    position,
    guestPciAddress: seen?.guestAddress ?? "",
    hostPciAddress: seen?.hostAddress ?? "",
    observation: applied ? (isLinkWell(situation, nic) ? "applied" : "degraded") : "pending",
  };
}

function isLinkWell({ inventory }: Situation, nic: string): boolean {
  const found = inventory.nics.find((n) => n.deviceId === nic);
  return found !== undefined && found.speedGbps > 0 && found.ports.every((p) => p.up);
}
