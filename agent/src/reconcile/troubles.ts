// What a pass met with that no instance's report tells, as warnings beside those of the inventory:
// what could not be read, what could not be done, and what is too small. Pure; it must not know who
// reads them.
import { partitionKey } from "@railyard/lib/attest";
import type { PartitionReport } from "../model/fabric.js";
import type { Desired, Inventory, InventoryWarning, ObserveProblem } from "../model.js";
import type { FailedStep } from "./report.js";

/** More are left out: the first say what to look at. */
const TROUBLES_MAX = 64;

/** The inventory with these before its own warnings: of many, not all may be shown. */
export function withTroubles(
  inventory: Inventory,
  troubles: readonly InventoryWarning[],
): Inventory {
  if (troubles.length === 0) return inventory;
  const more = troubles.slice(0, TROUBLES_MAX);
  return { ...inventory, warnings: [...more, ...inventory.warnings] };
}

/** Of a machine: what stayed unread. */
export function unread(problems: readonly ObserveProblem[]): readonly InventoryWarning[] {
  return problems.map(({ deviceId, message }) => {
    const what = deviceId === "" ? "the guests could not be read: " : "";
    return { kind: "unread", deviceId, message: `${what}${message}` };
  });
}

/** Of a machine: steps that failed and are for no instance, as making VFs and cleaning are. */
export function ownerless(failed: readonly FailedStep[]): readonly InventoryWarning[] {
  return failed
    .filter(({ instanceId }) => instanceId === "")
    .map(({ key, reason }) => ({
      kind: "step-failed",
      deviceId: "",
      message: `${key}: ${reason}`,
    }));
}

/** Of a machine: NICs whose interface carries smaller frames than what is on them is to have. */
export function tooNarrow(
  { nics }: Pick<Inventory, "nics">,
  desired: Pick<Desired, "instances"> | undefined,
): readonly InventoryWarning[] {
  const attachments = desired?.instances.flatMap((instance) => instance.attachments) ?? [];
  return nics.flatMap(({ deviceId, pfName, mtu }) => {
    const wanted = attachments.filter(({ nic }) => nic === deviceId).map((one) => one.mtu);
    const most = Math.max(0, ...wanted);
    if (mtu === undefined || mtu >= most) return [];
    const message = `${pfName} carries frames of ${mtu} bytes, and ${most} are wanted on it`;
    return [{ kind: "mtu-too-small", deviceId, message }];
  });
}

/** Of a fabric: partitions that are not as desired, and why. */
export function astray(partitions: readonly PartitionReport[]): readonly InventoryWarning[] {
  return partitions
    .filter(({ reason }) => reason !== "")
    .map(({ pkey, reason }) => {
      const message = `${partitionKey(pkey)}: ${reason}`;
      return { kind: "partition-astray", deviceId: "", message };
    });
}
