// Hands the faults of the desired state to a made-up machine; a real one refuses them and says so.
import type { Hardware } from "../hardware/hardware.js";
import type { Desired, InventoryWarning } from "../model.js";

/** Answers with what is to be told of faults that were refused. */
export async function injectFaults(
  hardware: Hardware,
  desired: Desired | undefined,
): Promise<readonly InventoryWarning[]> {
  const faults = desired?.faults ?? [];
  if (hardware.fake && hardware.setFaults) {
    if (desired) await hardware.setFaults(faults);
    return [];
  }
  if (faults.length === 0) return [];
  const message = `${faults.length} injected faults refused: this machine is not made up`;
  return [{ kind: "faults-refused", deviceId: "", message }];
}
