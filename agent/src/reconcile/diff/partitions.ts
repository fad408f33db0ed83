// Which partition of the NVSwitches joins the GPUs of an instance, and when one is activated and
// deactivated. Pure. Only instances with a share of a machine's GPUs have one; those with all GPUs
// take the NVSwitches themselves.
import type { DesiredInstance, ObservedPartition, Step } from "../../model.js";
import type { View } from "./view.js";

/** Names the partitions among the problems of a look. */
export const NVSWITCHES = "nvswitches";

/** The partition of exactly the instance's GPUs; undefined when it needs none or there is none. */
export function partitionOf(view: View, instance: DesiredInstance): ObservedPartition | undefined {
  if (!view.needsPartition(instance)) return undefined;
  const wanted = [...instance.gpus].sort().join();
  return view.observed.partitions.find(({ gpus }) => gpus.join() === wanted);
}

/** Why the instance has no partition that it needs; undefined when it has, or needs none. */
export function partitionObstacle(view: View, instance: DesiredInstance): string | undefined {
  if (!view.needsPartition(instance)) return undefined;
  if (view.unread(NVSWITCHES)) return "the NVSwitch partitions could not be read";
  if (partitionOf(view, instance)) return undefined;
  if (!view.dividesNvSwitches) return "no Fabric Manager that can be told divides the NVSwitches";
  return "no partition of the NVSwitches has exactly its GPUs";
}

/** An active partition with GPUs of the instance that is not its own: it must be gone first. */
export function partitionInTheWay(
  view: View,
  instance: DesiredInstance,
): ObservedPartition | undefined {
  const own = partitionOf(view, instance);
  const taken = new Set<string>(instance.gpus);
  return view.observed.partitions.find(
    (one) => one.active && one !== own && one.gpus.some((gpu) => taken.has(gpu)),
  );
}

/** What is amiss though no step is left for the instance; empty when nothing is. */
export function partitionDoubt(view: View, instance: DesiredInstance): string {
  const other = partitionInTheWay(view, instance);
  if (other) {
    const is = view.unread(NVSWITCHES) ? "may be" : "is";
    return `partition ${other.id} of the NVSwitches, with GPUs of it, ${is} still active`;
  }
  return isUnjoined(view, instance) ? "it runs, but its GPUs' partition is not active" : "";
}

/**
 * Whether a guest with a share of the GPUs is without its partition. Nothing is done about that:
 * partitions are activated before a guest starts (Fabric Manager guide, "Activate a GPU
 * Partition").
 */
export function isUnjoined(view: View, instance: DesiredInstance): boolean {
  return view.needsPartition(instance) && partitionOf(view, instance)?.active !== true;
}

/** The step before the guest's start; undefined when its GPUs are joined, or need not be. */
export function activation(view: View, instance: DesiredInstance): Step | undefined {
  const partition = partitionOf(view, instance);
  if (!partition || partition.active) return undefined;
  const { instanceId } = instance;
  const [kind, { id }] = ["activate-partition" as const, partition];
  return { kind, key: `${kind} ${id}`, instanceId, partition: id };
}

/**
 * Active partitions that no instance wants and of which no guest has a GPU any more: "do not
 * deactivate partitions when VMs are executing on the GPUs in the partition" (Fabric Manager guide,
 * "Deactivating the Partition"). None while it cannot be read which are.
 */
export function deactivations(view: View): Step[] {
  if (view.unread(NVSWITCHES)) return [];
  const wanted = new Set(view.instances.map((instance) => partitionOf(view, instance)));
  const isHeld = ({ gpus }: ObservedPartition) => gpus.some((id) => view.isHeld(id));
  return view.observed.partitions
    .filter((one) => one.active && !wanted.has(one) && !isHeld(one))
    .map(({ id }) => {
      const kind = "deactivate-partition";
      return { kind, key: `${kind} ${id}`, instanceId: "", partition: id };
    });
}
