// Which GPU is which module of its board, and whether the Fabric Manager divides the board as
// instances are placed. Pure; it must not know which partitions are active, nor who wants them.
import { NVSWITCH_MODULES, NVSWITCH_PARTITIONS } from "@railyard/lib/nvswitch";
import type { MachineFacts, PartitionReading } from "../hardware/hardware.js";
import type { Device, Gpu, Inventory, InventoryWarning } from "../model.js";
import { warning } from "./warnings.js";

/**
 * PCI addresses by module: as the Fabric Manager tells them. Where it does not see the GPUs
 * themselves, by ascending address, which is a guess, and only if there are as many as modules.
 */
function moduleAddresses(
  partitions: readonly PartitionReading[],
  gpus: readonly Device[],
): { readonly addresses: ReadonlyMap<number, string>; readonly guessed: boolean } {
  const listed = partitions.flatMap((partition) => partition.gpus);
  const modules = [...new Set(listed.map(({ module }) => module))].sort((a, b) => a - b);
  const told = new Map(
    listed.flatMap(({ module, pciAddress }) => (pciAddress === "" ? [] : [[module, pciAddress]])),
  );
  const differ = new Set(told.values()).size === told.size;
  if (told.size === modules.length && differ) return { addresses: told, guessed: false };
  const sorted = gpus.map(({ pciAddress }) => pciAddress).sort();
  if (sorted.length !== modules.length) return { addresses: new Map(), guessed: true };
  return { addresses: new Map(modules.map((m, k) => [m, sorted[k] ?? ""])), guessed: true };
}

/** The GPUs with their module numbers, the partitions, where there are any, and doubts. */
export function partitioned(
  { partitions }: MachineFacts,
  gpus: readonly Gpu[],
): Pick<Inventory, "gpus" | "partitions" | "warnings"> {
  if (!partitions) return { gpus, warnings: [] };
  const { addresses, guessed } = moduleAddresses(partitions, gpus);
  const modules = new Map([...addresses].map(([module, address]) => [address, module]));
  const guess = warning(
    "gpu-module-guessed",
    "",
    "the Fabric Manager does not tell which GPU is which module: taken by PCI address",
  );
  const nameOf = (module: number) => {
    const pciAddress = addresses.get(module);
    // One that fell off the bus keeps its name: its partition may still be active.
    const gpu = gpus.find((one) => one.pciAddress === pciAddress);
    return gpu?.deviceId ?? (pciAddress === undefined ? "" : `gpu-${pciAddress}`);
  };
  return {
    partitions: partitions.map((partition) => {
      return { id: partition.id, gpus: partition.gpus.map((g) => nameOf(g.module)).sort() };
    }),
    gpus: gpus.map((gpu) => {
      const module = modules.get(gpu.pciAddress);
      return module === undefined ? gpu : { ...gpu, module };
    }),
    warnings: [...(guessed ? [guess] : []), ...compare(partitions)],
  };
}

/** Placement counts on NVIDIA's default partitions; a board can be told to have others. */
function compare(partitions: readonly PartitionReading[]): readonly InventoryWarning[] {
  const seen = new Set(partitions.map(({ gpus }) => setName(gpus.map(({ module }) => module))));
  const modules = new Set(partitions.flatMap(({ gpus }) => gpus.map(({ module }) => module)));
  if (modules.size !== NVSWITCH_MODULES) return [];
  const expected = NVSWITCH_PARTITIONS.map(setName);
  const missing = expected.filter((name) => !seen.has(name));
  const whole = setName([...modules]);
  const strange = [...seen].filter((name) => name !== whole && !expected.includes(name));
  if (missing.length + strange.length === 0) return [];
  const list = (names: readonly string[]) => names.map((name) => `{${name}}`).join(" ") || "none";
  const text = `of the modules' usual partitions it lacks ${list(missing)}, beside them it has`;
  return [warning("partitions-differ", "", `${text} ${list(strange)}`)];
}

function setName(modules: readonly number[]): string {
  return [...modules].sort((a, b) => a - b).join(",");
}
