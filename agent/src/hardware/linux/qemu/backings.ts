// What host functions become in a guest on a machine with SR-IOV: passed through, once vfio-pci has
// them. It changes nothing but who may open them.
import { chownSync } from "node:fs";
import { join } from "node:path";
import { refuse } from "@railyard/lib/errors";
import type { GuestSpec } from "../../../model.js";
import type { Outside } from "../outside.js";
import { readFunction } from "../sysfs.js";
import { groupMates, type IommuRule } from "../vfio.js";
import type { Backing } from "./arguments.js";
import type { GuestUser } from "./processes.js";

/**
 * Every function of a guest as passed through. Throws `unavailable` for one that vfio-pci does not
 * hold, or whose IOMMU group would be split between guests.
 */
export function passthroughBackings(
  outside: Outside,
  rule: { readonly iommu: IommuRule; readonly user?: GuestUser },
): (spec: GuestSpec) => Promise<ReadonlyMap<string, Backing>> {
  return async ({ functions }) => {
    const wanted = new Set(functions.map((fn) => fn.hostAddress));
    const backings = new Map<string, Backing>();
    for (const address of wanted) {
      const found = readFunction(outside.root, address);
      if (found?.driver !== "vfio-pci") {
        throw refuse("unavailable", `pci function ${address} cannot be given to a guest`);
      }
      const left = groupMates(outside, found)
        .filter((mate) => !wanted.has(mate))
        .find((mate) => rule.iommu === "strict" || isGiven(outside, mate));
      if (left !== undefined) {
        throw refuse("unavailable", `pci function ${address} shares its iommu group with ${left}`);
      }
      const group = join("/dev/vfio", found.iommuGroup);
      if (rule.user) chownSync(join(outside.root, group), rule.user.uid, rule.user.gid);
      backings.set(address, { kind: "vfio", group });
    }
    return backings;
  };
}

/** Whether somebody else's guest may have the function. */
function isGiven(outside: Outside, address: string): boolean {
  return readFunction(outside.root, address)?.driver === "vfio-pci";
}
