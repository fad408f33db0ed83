// Where every function of an instance sits inside its guest: a q35 machine with one expander bus
// per NUMA node and the host's switches as virtual ones, numbered the same way every time. It knows
// no tool and no host state.
import type {
  DesiredAttachment,
  DesiredInstance,
  Device,
  DeviceId,
  Inventory,
  Layout,
  LayoutProblem,
  LayoutResult,
  NvSwitch,
} from "../model.js";
import { mmioWindow } from "./mmio.js";
import { addressOf } from "./path-class.js";
import { growTree, type Leaf, numberTree } from "./tree.js";

const LAST_BUS = 0xff;
/** Half of what a guest with 46 address bits can reach: the rest is for its memory. */
const MMIO_BYTES_MAX = 2 ** 45;

/**
 * Lays out one instance. Expanders ascend with the NUMA node, switches with the pair; below a
 * switch the GPU comes first, then the VFs in position order; NVSwitches come last. Switches nest
 * as they do on the host, so that no distance changes. A device that the machine lacks, a
 * contradiction between the desired state and the machine, or too few bus numbers, slots or
 * addresses are answered as a problem.
 */
export function compileLayout(inventory: Inventory, instance: DesiredInstance): LayoutResult {
  const problem = problemOf(inventory, instance);
  if (problem) return { ok: false, problem };
  const leaves = leavesOf(inventory, instance);
  const tree = growTree(leaves);
  const { expanders, ports, buses, lastBus, crowded } = numberTree(tree, leaves);
  const mmioBytes = mmioWindow(tree);
  if (lastBus > LAST_BUS) {
    return refusal("buses-exhausted", `the guest needs bus numbers up to ${lastBus}`);
  }
  if (crowded) return refusal("slots-exhausted", "a bus of the guest has too few slots");
  if (mmioBytes > MMIO_BYTES_MAX) {
    return refusal("addresses-exhausted", `the guest's devices need ${mmioBytes} bytes of space`);
  }
  const at = (index: number) => addressOf(buses[index] ?? 0, 0);
  const gpus: Layout["gpus"][number][] = [];
  const attachments: Layout["attachments"][number][] = [];
  const nvSwitches: Layout["nvSwitches"][number][] = [];
  for (const [index, { what }] of leaves.entries()) {
    const guestAddress = at(index);
    if (what.kind === "attachment") {
      const { position, nic, vf } = what.attachment;
      attachments[position] = { position, nic, vf, guestAddress };
    } else {
      const { deviceId } = what;
      (what.kind === "gpu" ? gpus : nvSwitches).push({ deviceId, guestAddress });
    }
  }
  return { ok: true, layout: { expanders, ports, gpus, attachments, nvSwitches, mmioBytes } };
}

/** NVSwitches that go with the instance: all when it takes every GPU of the machine, else none. */
function nvSwitchesOf(inventory: Inventory, instance: DesiredInstance): readonly NvSwitch[] {
  const taken = new Set(instance.gpus);
  const all = taken.size > 0 && inventory.gpus.every(({ deviceId }) => taken.has(deviceId));
  return all ? inventory.nvSwitches : [];
}

interface Placing extends Leaf {
  readonly what:
    | { readonly kind: "gpu" | "nvSwitch"; readonly deviceId: DeviceId }
    | { readonly kind: "attachment"; readonly attachment: DesiredAttachment };
}

function leavesOf(inventory: Inventory, instance: DesiredInstance): readonly Placing[] {
  const leaf = ({ numa, path }: Device, bytes: number, what: Placing["what"]): Placing => {
    return { numa, path, bytes, what };
  };
  const gpus = new Map(inventory.gpus.map((g) => [g.deviceId, g]));
  const nics = new Map(inventory.nics.map((n) => [n.deviceId, n]));
  const pairs = instance.gpus.flatMap((deviceId, pair): Placing[] => {
    const gpu = gpus.get(deviceId);
    const vfs = instance.attachments.filter((a) => a.pair === pair);
    return [
      ...(gpu ? [leaf(gpu, gpu.barBytes, { kind: "gpu", deviceId })] : []),
      ...vfs.flatMap((attachment): Placing[] => {
        const nic = nics.get(attachment.nic);
        return nic ? [leaf(nic, nic.vfBarBytes, { kind: "attachment", attachment })] : [];
      }),
    ];
  });
  const nvSwitches = nvSwitchesOf(inventory, instance).map((device) => {
    return leaf(device, 0, { kind: "nvSwitch", deviceId: device.deviceId });
  });
  return [...pairs, ...nvSwitches];
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

function refusal(kind: LayoutProblem["kind"], message: string): LayoutResult {
  return { ok: false, problem: { kind, deviceId: "", message } };
}
