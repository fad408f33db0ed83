// Which instances may have functions of one IOMMU group, on a made-up look at a machine.
import { expect, test } from "vitest";
import type { DesiredInstance, ObservedDevice, ObservedGuest } from "../../model.js";
import { splitGroup } from "./groups.js";
import { type Situation, View } from "./view.js";

const instance = (k: number) => {
  return { instanceId: `ins-${k}`, gpus: [`gpu-${k}`], attachments: [] } as unknown;
};

/** Two instances with a GPU each, the GPUs in these groups, and whose guests stand. */
function view(groups: readonly string[], guests: readonly number[] = [], wanted = [0, 1]): View {
  const gpus = groups.map((iommuGroup, k): ObservedDevice => {
    return { deviceId: `gpu-${k}`, pciAddress: `0000:0${k}:00.0`, driver: "", iommuGroup };
  });
  const held = guests.map((k) => {
    const functions = [{ guestAddress: "0000:01:00.0", hostAddress: `0000:0${k}:00.0` }];
    return { instanceId: `ins-${k}`, functions } as unknown as ObservedGuest;
  });
  const situation = {
    desired: { instances: wanted.map((k) => instance(k) as DesiredInstance) },
    observed: { gpus, vfs: [], nvSwitches: [], partitions: [], guests: held, problems: [] },
    layouts: new Map(),
  } as unknown as Situation;
  return new View(situation);
}

const waits = (of: View, k: number) => splitGroup(of, instance(k) as DesiredInstance);

test("functions of different groups, or of none, go to different instances", () => {
  expect(waits(view(["1", "2"]), 1)).toBeUndefined();
  expect(waits(view(["", ""]), 1)).toBeUndefined();
});

test("of two instances that share a group the first one has it", () => {
  const both = view(["7", "7"]);
  expect(waits(both, 0)).toBeUndefined();
  expect(waits(both, 1)).toBe("IOMMU group 7 is ins-0's, which has 0000:00:00.0 of it");
});

test("a guest that is still there has its group, wanted or not", () => {
  const left = view(["7", "7"], [1], [0]);
  expect(waits(left, 0)).toBe("IOMMU group 7 is ins-1's, which has 0000:01:00.0 of it");
});
