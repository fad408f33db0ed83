// Which GPU belongs to which NIC: those that are each other's only nearest below a common PCIe
// switch. Pure; knows the tree, not what the devices are called for.
import type { Device, Gpu, InventoryWarning, Nic, Pair } from "../model.js";
import { warning } from "./warnings.js";

/** Root port and upstream port: fewer common bridges than that are no common switch. */
const COMMON_BRIDGES_MIN = 2;

/** Pairs by GPU, and a warning for every device without one. */
export function pairUp(
  gpus: readonly Gpu[],
  nics: readonly Nic[],
): { readonly pairs: readonly Pair[]; readonly warnings: readonly InventoryWarning[] } {
  const cards = nics.filter((nic) => firstOfBoard(nic, nics) === nic);
  const further = nics.filter((nic) => !cards.includes(nic));
  // Address order, NUMA node and root port each put wrong ones together on some machine.
  const pairs = gpus.flatMap((gpu) => {
    const [nic, ...others] = nearest(gpu, cards);
    if (nic === undefined || others.length > 0) return [];
    const back = nearest(nic, gpus);
    const mutual = back.length === 1 && back[0] === gpu;
    return mutual ? [{ gpu: gpu.deviceId, nic: nic.deviceId }] : [];
  });
  const taken = new Set(pairs.flatMap(({ gpu, nic }) => [gpu, nic]));
  const alone = [
    ...gpus.map((gpu) => ({ id: gpu.deviceId, near: nearest(gpu, cards).length })),
    ...cards.map((nic) => ({ id: nic.deviceId, near: nearest(nic, gpus).length })),
  ].filter(({ id }) => !taken.has(id));
  return {
    pairs: pairs.sort((a, b) => (a.gpu < b.gpu ? -1 : Number(a.gpu > b.gpu))),
    warnings: [...alone.map(aloneWarning), ...further.map((nic) => furtherWarning(nic, nics))],
  };
}

function aloneWarning({ id, near }: { id: string; near: number }): InventoryWarning {
  return near === 0
    ? warning("no-common-switch", id, "no device to pair it with below a common PCIe switch")
    : warning("ambiguous-switch", id, "the nearest PCIe switch does not give one partner");
}

function furtherWarning(nic: Nic, nics: readonly Nic[]): InventoryWarning {
  const text = `on one board with ${firstOfBoard(nic, nics).deviceId}, which is paired for both`;
  return warning("shared-board", nic.deviceId, text);
}

// The functions of one board have one firmware configuration and fail together, so that a GPU is
// paired with the board, by its first function.
function firstOfBoard(nic: Nic, nics: readonly Nic[]): Nic {
  const board = nics.filter((other) => nic.board !== "" && other.board === nic.board);
  return board.reduce((first, other) => (other.pciAddress < first.pciAddress ? other : first), nic);
}

// All that share the longest path of bridges with `one`; none when that is no switch.
function nearest<Other extends Device>(one: Device, others: readonly Other[]): readonly Other[] {
  const shared = others.map((other) => commonLength(one.path, other.path));
  const most = Math.max(COMMON_BRIDGES_MIN, ...shared);
  return others.filter((_, index) => shared[index] === most);
}

function commonLength(a: readonly string[], b: readonly string[]): number {
  const differs = a.findIndex((bridge, index) => bridge !== b[index]);
  return differs === -1 ? a.length : differs;
}
