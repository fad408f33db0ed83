// Shows what single steps ask of the hardware.
import { expect, test } from "vitest";
import type { Hardware, VfSettings } from "../hardware/hardware.js";
import type { Step } from "../model.js";
import { applySteps } from "./apply.js";
import { MAC_NONE } from "./diff/view.js";
import type { Reading } from "./observe.js";

const CLEAR: Step = {
  ...{ kind: "clear-vf", key: "clear-vf nic-0 1", instanceId: "" },
  ...{ nic: "nic-0", vf: 1 },
};

test("what somebody else changed on a vf is set back when the vf is given back", async () => {
  const asked: VfSettings[] = [];
  const configureVf = async (_pf: string, _vf: number, settings: VfSettings) => {
    asked.push(settings);
  };
  const hardware = { configureVf } as Partial<Hardware> as Hardware;
  const found = { nic: "nic-0", vf: 1, astray: ["min-rate", "state"] };
  const inventory = { nics: [{ deviceId: "nic-0", pfName: "eth0" }] };
  const reading = { inventory, observed: { vfs: [found] } } as unknown as Reading;
  const signal = new AbortController().signal;
  expect(await applySteps([CLEAR], { hardware, reading, signal })).toEqual({
    doneCount: 1,
    failed: [],
  });
  const { astray } = found;
  expect(asked).toEqual([{ mac: MAC_NONE, vlan: 0, rateMbps: 0, spoofCheck: true, astray }]);
});
