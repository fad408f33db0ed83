// Tests of which words make a fault together.
import { RailyardError } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { checkFaultPlace, checkFaultSpec, type FaultSpec } from "./node-fault.js";
import type { HardwareKind } from "./physical-cluster.js";

const MACHINE = { gpus: { count: 2 }, nics: { count: 2, vfs: 16 } } as unknown as HardwareKind;

function fields(check: () => void): readonly string[] {
  try {
    check();
    return [];
  } catch (thrown) {
    if (!(thrown instanceof RailyardError)) throw thrown;
    return (thrown.parts.fields ?? []).map(({ field }) => field);
  }
}

const SPECS: readonly (readonly [FaultSpec, readonly string[]])[] = [
  [{ kind: "vf-dropped", rail: 1, vfIndex: 0, step: "" }, []],
  [{ kind: "vf-dropped", gpuIndex: 0, step: "", times: 1 }, ["spec.gpu_index", "spec.times"]],
  [{ kind: "gpu-lost", gpuIndex: 7, step: "" }, []],
  [{ kind: "machine-hangs", rail: 0, step: "create-vfs" }, ["spec.rail", "spec.step"]],
  [{ kind: "apply-fails", step: "configure-vf", times: 3 }, []],
  [{ kind: "apply-hangs", step: "rm -rf" }, ["spec.step"]],
  [{ kind: "guest-crashes", step: "", times: 1 }, []],
];

test.each(SPECS)("%j is refused for exactly these fields: %j", (spec, refused) => {
  expect(fields(() => checkFaultSpec(spec))).toEqual(refused);
});

test("a device that the machine does not have is refused", () => {
  const at = (over: Partial<FaultSpec>) =>
    fields(() => checkFaultPlace({ kind: "vf-dropped", step: "", ...over }, MACHINE));
  expect(at({ rail: 1, vfIndex: 15 })).toEqual([]);
  expect(at({ rail: 2, vfIndex: 16, gpuIndex: 2 })).toEqual([
    ...["spec.rail", "spec.vf_index", "spec.gpu_index"],
  ]);
});
