// Which rail each NIC seems to be on: its cables say so. Pure; what was declared, and whether a
// cable is where it should be, is judged elsewhere.
import type { DeviceId, Inventory, InventoryWarning, Nic } from "../model.js";
import { warning } from "./warnings.js";

export interface RailSeen {
  readonly nic: DeviceId;
  /** Empty when the NIC is paired with none. */
  readonly gpu: DeviceId | "";
  /** Leaf switches seen on its ports, in port order; NICs with the same ones share a rail. */
  readonly leaves: readonly string[];
  /** Its place in address order; a guess at its rail while no leaf was seen. */
  readonly order: number;
}

/** The NICs in address order, and a warning for every one that only its address tells of. */
export function railsSeen({ nics, pairs }: Inventory): {
  readonly rails: readonly RailSeen[];
  readonly warnings: readonly InventoryWarning[];
} {
  const rails = [...nics].sort(byAddress).map((nic, order) => ({
    nic: nic.deviceId,
    gpu: pairs.find((pair) => pair.nic === nic.deviceId)?.gpu ?? "",
    leaves: nic.ports.map(({ neighbour }) => neighbour).filter((leaf) => leaf !== ""),
    order,
  }));
  const text = "no switch was seen on its cables: its rail is guessed from its address";
  const guessed = rails.filter(({ leaves }) => leaves.length === 0);
  return { rails, warnings: guessed.map(({ nic }) => warning("rail-by-address", nic, text)) };
}

function byAddress(a: Nic, b: Nic): number {
  return a.pciAddress < b.pciAddress ? -1 : Number(a.pciAddress > b.pciAddress);
}
