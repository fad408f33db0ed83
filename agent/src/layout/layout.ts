// Where every function of an instance sits inside its guest: a q35 machine with one expander bus
// per NUMA node and one virtual switch per pair, numbered the same way every time. It knows no tool
// and no host state.
import type {
  DesiredAttachment,
  DesiredInstance,
  DeviceId,
  Expander,
  Inventory,
  Layout,
  LayoutProblem,
  LayoutResult,
} from "../model.js";

/** First bus number of the first expander; the ones below belong to the guest's own root bus. */
const FIRST_BUS = 0x10;
const LAST_BUS = 0xff;

type Gpus = Layout["gpus"];
type Slots = Layout["attachments"];

/** One pair with what hangs below its switch. */
interface Group {
  readonly pair: number;
  readonly gpu: DeviceId;
  readonly numa: number;
  /** In position order. */
  readonly attachments: readonly DesiredAttachment[];
}

/**
 * Lays out one instance. Expanders ascend with the NUMA node, switches with the pair; below a
 * switch the GPU comes first, then the VFs in position order. A device that the machine lacks, a
 * contradiction between the desired state and the machine, or too few bus numbers is answered as a
 * problem.
 */
export function compileLayout(inventory: Inventory, instance: DesiredInstance): LayoutResult {
  const problem = problemOf(inventory, instance);
  if (problem) return { ok: false, problem };
  const groups = groupsOf(inventory, instance);
  const expanders: Expander[] = [];
  const gpus: Gpus[number][] = [];
  const attachments: Slots[number][] = [];
  let bus = FIRST_BUS;
  for (const numa of numaNodes(groups)) {
    const switches: Expander["switches"][number][] = [];
    const own = bus++;
    for (const group of groups.filter((g) => g.numa === numa)) {
      const upstreamBus = bus++;
      const downstreamBus = bus++;
      switches.push({ pair: group.pair, upstreamBus, downstreamBus });
      gpus[group.pair] = { deviceId: group.gpu, guestAddress: functionAt(bus++) };
      for (const { position, nic, vf } of group.attachments) {
        attachments[position] = { position, nic, vf, guestAddress: functionAt(bus++) };
      }
    }
    expanders.push({ numa, bus: own, lastBus: bus - 1, switches });
  }
  if (bus - 1 > LAST_BUS) {
    return refusal("buses-exhausted", "", `the guest needs bus numbers up to ${bus - 1}`);
  }
  return { ok: true, layout: { expanders, gpus, attachments } };
}

/** A downstream port opens a bus of its own, with the function as its only device. */
function functionAt(bus: number): string {
  return `0000:${bus.toString(16).padStart(2, "0")}:00.0`;
}

function numaNodes(groups: readonly Group[]): number[] {
  return [...new Set(groups.map((g) => g.numa))].sort((a, b) => a - b);
}

function groupsOf(inventory: Inventory, instance: DesiredInstance): Group[] {
  const numaOf = new Map(inventory.gpus.map((g) => [g.deviceId, g.numa]));
  return instance.gpus.map((gpu, pair) => ({
    pair,
    gpu,
    numa: numaOf.get(gpu) ?? -1,
    attachments: instance.attachments.filter((a) => a.pair === pair),
  }));
}

function problemOf(inventory: Inventory, instance: DesiredInstance): LayoutProblem | undefined {
  const gpus = new Set(inventory.gpus.map((g) => g.deviceId));
  const missing = instance.gpus.find((id) => !gpus.has(id));
  if (missing) return missingDevice(missing);
  if (new Set(instance.gpus).size < instance.gpus.length) {
    return inconsistent("", "a gpu is listed twice");
  }
  for (const [index, attachment] of instance.attachments.entries()) {
    if (attachment.position !== index) {
      return inconsistent(attachment.nic, `position ${attachment.position} stands at ${index}`);
    }
    const problem = attachmentProblem(inventory, instance, attachment);
    if (problem) return problem;
  }
  return undefined;
}

function attachmentProblem(
  inventory: Inventory,
  instance: DesiredInstance,
  attachment: DesiredAttachment,
): LayoutProblem | undefined {
  const { position, nic, vf, pair } = attachment;
  const found = inventory.nics.find((n) => n.deviceId === nic);
  if (!found) return missingDevice(nic);
  const gpu = instance.gpus[pair];
  if (gpu === undefined) return inconsistent(nic, `position ${position} names no pair`);
  if (!inventory.pairs.some((p) => p.gpu === gpu && p.nic === nic)) {
    return inconsistent(nic, `${nic} and ${gpu} are not a pair`);
  }
  if (vf >= found.vfsMax) return inconsistent(nic, `${nic} has no vf ${vf}`);
  const before = instance.attachments.slice(0, position).filter((a) => a.nic === nic);
  if (before.some((a) => a.vf >= vf)) {
    return inconsistent(nic, `vf order on ${nic} does not follow position order`);
  }
  return undefined;
}

function missingDevice(deviceId: DeviceId): LayoutProblem {
  return { kind: "device-missing", deviceId, message: `${deviceId} is not on this machine` };
}

function inconsistent(deviceId: DeviceId | "", message: string): LayoutProblem {
  return { kind: "inconsistent", deviceId, message };
}

function refusal(
  kind: LayoutProblem["kind"],
  deviceId: DeviceId | "",
  message: string,
): LayoutResult {
  return { ok: false, problem: { kind, deviceId, message } };
}
