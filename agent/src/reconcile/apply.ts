// Turns steps into calls on the hardware and keeps one result per step. It decides nothing but what
// goes side by side, and what a failure holds back.
import { asRailyardError, type RailyardError, refuse } from "@railyard/lib/errors";
import type { Hardware, VfSettings } from "../hardware/hardware.js";
import type { DeviceId, Step } from "../model.js";
import { deviceKey, MAC_NONE } from "./diff/view.js";
import type { Reading } from "./observe.js";
import type { FailedStep } from "./report.js";

export interface ApplyInput {
  readonly hardware: Hardware;
  /** What the steps were derived from. */
  readonly reading: Reading;
  /** Ends the work between two steps. */
  readonly signal: AbortSignal;
}

export interface Applied {
  readonly doneCount: number;
  readonly failed: readonly FailedStep[];
}

/**
 * Takes the steps, removals first: guests stop, GPUs are parted, NICs are taken back, then GPUs,
 * which are reset then; NICs and GPUs are given, GPUs are joined and guests start. So an address is
 * nowhere twice on its way from one NIC to another; for what the Fabric Manager wants of that order
 * see `setPartition`. Within each of these, lanes go side by side, so that a tool that hangs for
 * one device delays nobody else by more than its deadline. A failed step holds back the later ones
 * on the same device, and one that hung all that follow in its lane.
 */
export async function applySteps(steps: readonly Step[], input: ApplyInput): Promise<Applied> {
  const failed: FailedStep[] = [];
  let doneCount = 0;
  const troubles: Troubles = { blocked: new Map(), hung: new Map() };
  for (const phase of PHASES) {
    const lanes = lanesOf(steps.filter((s) => phaseOf(s) === phase));
    const taken = lanes.map(([name, lane]) => takeLane(name, lane, { ...input, troubles }));
    for (const lane of await Promise.all(taken)) {
      failed.push(...lane.failed);
      doneCount += lane.doneCount;
    }
  }
  return { doneCount, failed };
}

/** What went wrong so far, by the key of the step with which it began. */
interface Troubles {
  /** By subject. */
  readonly blocked: Map<string, string>;
  /** By lane. */
  readonly hung: Map<string, string>;
}

const REMOVALS = ["stop", "part", "take-nics", "take-gpus"] as const;
const PHASES = [...REMOVALS, "give-nics", "give-gpus", "join", "start"] as const;

function phaseOf(step: Step): (typeof PHASES)[number] {
  switch (step.kind) {
    case "stop-guest":
      return "stop";
    case "deactivate-partition":
      return "part";
    case "activate-partition":
      return "join";
    case "start-guest":
    case "reboot-guest":
      return "start";
    case "unbind-device":
      return step.vf === undefined ? "take-gpus" : "take-nics";
    case "clear-vf":
      return "take-nics";
    case "bind-device":
      return step.vf === undefined ? "give-gpus" : "give-nics";
    case "create-vfs":
    case "configure-vf":
      return "give-nics";
  }
}

/** One lane per guest, per whole device and for all partitions, each in the order of the steps. */
function lanesOf(steps: readonly Step[]): (readonly [string, readonly Step[]])[] {
  const lanes = new Map<string, Step[]>();
  for (const step of steps) {
    const [device = ""] = subjectOf(step).split(" ", 1);
    const lane = lanes.get(device) ?? [];
    lanes.set(device, lane);
    lane.push(step);
  }
  return [...lanes];
}

async function takeLane(
  name: string,
  steps: readonly Step[],
  { troubles: { blocked, hung }, ...input }: ApplyInput & { readonly troubles: Troubles },
): Promise<Applied> {
  const failed: FailedStep[] = [];
  let doneCount = 0;
  for (const step of steps) {
    if (input.signal.aborted) break;
    const { key, instanceId } = step;
    const subject = subjectOf(step);
    const cause = hung.get(name) ?? blocked.get(subject);
    const failure = cause ? heldBack(cause) : await tryStep(step, input);
    if (!failure) {
      doneCount += 1;
      continue;
    }
    failed.push({ key, instanceId, reason: failure.message });
    blocked.set(subject, cause ?? key);
    if (failure.code === "deadline" && !hung.has(name)) hung.set(name, key);
  }
  return { doneCount, failed };
}

function heldBack(cause: string): RailyardError {
  return refuse("unavailable", `held back by ${cause}`);
}

/** What a step acts on: an instance's guest, a device, one VF of a device, or a partition. */
function subjectOf(step: Step): string {
  switch (step.kind) {
    case "stop-guest":
    case "start-guest":
    case "reboot-guest":
      return step.instanceId;
    case "activate-partition":
    case "deactivate-partition":
      return `partition ${step.partition}`;
    case "unbind-device":
    case "bind-device":
      return deviceKey(step.deviceId, step.vf);
    case "clear-vf":
      return deviceKey(step.nic, step.vf);
    case "create-vfs":
      return step.nic;
    case "configure-vf":
      return deviceKey(step.attachment.nic, step.attachment.vf);
  }
}

async function tryStep(step: Step, input: ApplyInput): Promise<RailyardError | undefined> {
  try {
    await applyStep(step, input);
    return undefined;
  } catch (thrown) {
    return asRailyardError(thrown);
  }
}

async function applyStep(step: Step, { hardware, reading }: ApplyInput): Promise<void> {
  switch (step.kind) {
    case "stop-guest":
      return hardware.stopGuest(step.instanceId);
    case "unbind-device":
      return hardware.unbindVfio(addressOf(reading, step.deviceId, step.vf));
    case "clear-vf":
      return hardware.configureVf(nicOf(reading, step.nic).pfName, step.vf, {
        mac: MAC_NONE,
        vlan: 0,
        rateMbps: 0,
        spoofCheck: true,
        ...setBack(reading, step.nic, step.vf),
      });
    case "create-vfs": {
      const { pciAddress } = nicOf(reading, step.nic);
      const have = reading.observed.vfs.some((v) => v.nic === step.nic);
      if (have) await hardware.setVfCount(pciAddress, 0);
      return step.count > 0 ? hardware.setVfCount(pciAddress, step.count) : undefined;
    }
    case "configure-vf": {
      const { nic, vf, mac, isolation, rateMbps, spoofCheck } = step.attachment;
      const { kind, id } = isolation;
      const membership = kind === "vlan" ? { vlan: id } : { vlan: 0, [kind]: id };
      const back = setBack(reading, nic, vf);
      const settings = { mac, ...membership, rateMbps, spoofCheck, ...back };
      return hardware.configureVf(nicOf(reading, nic).pfName, vf, settings);
    }
    case "bind-device":
      return hardware.bindVfio(addressOf(reading, step.deviceId, step.vf));
    case "activate-partition":
      return hardware.setPartition(step.partition, true);
    case "deactivate-partition":
      return hardware.setPartition(step.partition, false);
    case "start-guest":
      return hardware.startGuest(step.guest);
    case "reboot-guest":
      return hardware.rebootGuest(step.instanceId, step.bootCount);
  }
}

/** What else somebody changed on a VF; left as it is, it would go on to whoever has it next. */
function setBack({ observed }: Reading, nic: DeviceId, vf: number): Pick<VfSettings, "astray"> {
  const astray = observed.vfs.find((v) => v.nic === nic && v.vf === vf)?.astray;
  return astray ? { astray } : {};
}

function nicOf({ inventory }: Reading, deviceId: DeviceId) {
  const nic = inventory.nics.find((n) => n.deviceId === deviceId);
  if (!nic) throw refuse("unavailable", `${deviceId} is gone`);
  return nic;
}

function addressOf({ observed }: Reading, deviceId: DeviceId, vf: number | undefined): string {
  const found =
    vf === undefined
      ? [...observed.gpus, ...observed.nvSwitches].find((d) => d.deviceId === deviceId)
      : observed.vfs.find((v) => v.nic === deviceId && v.vf === vf);
  if (!found) throw refuse("unavailable", `${deviceKey(deviceId, vf)} is gone`);
  return found.pciAddress;
}
