// Whether an instance may have its functions as far as IOMMU groups go: the kernel gives the
// functions of one group to one guest only. Pure; which rule a machine is under it need not know,
// since a group of one function is never split.
import type { ObservedVf } from "../../model/observed-vf.js";
import type { DesiredInstance, ObservedDevice } from "../../model.js";
import type { View } from "./view.js";

/**
 * Why the instance must wait: a function of it is in a group of which another instance's guest, or
 * an instance that comes before it, has a part. Physical functions are nobody's and do not count.
 */
export function splitGroup(view: View, instance: DesiredInstance): string | undefined {
  const { instanceId } = instance;
  const mine = functionsOf(view, instance);
  const groups = new Set(mine.map(({ iommuGroup }) => iommuGroup));
  for (const other of view.instances) {
    if (other.instanceId === instanceId) break;
    const shared = functionsOf(view, other).find((fn) => groups.has(fn.iommuGroup));
    if (shared) return refusal(shared, other.instanceId);
  }
  const { vfs, gpus, nvSwitches } = view.observed;
  for (const fn of [...vfs, ...gpus, ...nvSwitches]) {
    const holder = view.holderOf(fn);
    if (holder === undefined || holder === instanceId || !isGrouped(fn)) continue;
    if (groups.has(fn.iommuGroup) && !mine.includes(fn)) return refusal(fn, holder);
  }
  return undefined;
}

type Grouped = ObservedVf | ObservedDevice;

function functionsOf(view: View, instance: DesiredInstance): readonly Grouped[] {
  const wholes = view.wholesOf(instance).map((deviceId) => view.whole(deviceId));
  const vfs = instance.attachments.map(({ nic, vf }) => view.vf(nic, vf));
  return [...wholes, ...vfs].filter((fn) => fn !== undefined).filter(isGrouped);
}

function isGrouped({ iommuGroup = "" }: Grouped): boolean {
  return iommuGroup !== "";
}

function refusal({ iommuGroup, pciAddress }: Grouped, instanceId: string): string {
  return `IOMMU group ${iommuGroup} is ${instanceId}'s, which has ${pciAddress} of it`;
}
