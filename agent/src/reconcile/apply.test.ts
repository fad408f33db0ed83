// Shows what single steps ask of the hardware.
import { refuse } from "@railyard/lib/errors";
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

const MAC = "02:00:00:00:00:01";

/** Two NICs with two VFs each, on which somebody hangs. */
function machine(hangs = "") {
  const asked: string[] = [];
  const configureVf = async (pf: string, vf: number, { mac }: VfSettings) => {
    asked.push(`${pf} ${vf} ${mac}`);
    if (`${pf} ${vf}` === hangs) throw refuse("deadline", "it hangs");
  };
  const hardware = { configureVf } as Partial<Hardware> as Hardware;
  const nics = [0, 1].map((k) => ({ deviceId: `nic-${k}`, pfName: `eth${k}` }));
  const reading = { inventory: { nics }, observed: { vfs: [] } } as unknown as Reading;
  const { signal } = new AbortController();
  return { asked, input: { hardware, reading, signal } };
}

function configure(nic: string, vf: number): Step {
  const isolation = { kind: "vlan", id: 100 } as const;
  const attachment = { nic, vf, mac: MAC, isolation, rateMbps: 0, spoofCheck: true };
  const key = `configure-vf ${nic} ${vf}`;
  return { kind: "configure-vf", key, instanceId: "ins", attachment } as unknown as Step;
}

test("an address is taken from every nic before any has it", async () => {
  const { asked, input } = machine();
  const clear = { ...CLEAR, vf: 0, key: "clear-vf nic-0 0" };
  await applySteps([configure("nic-1", 0), configure("nic-1", 1), CLEAR, clear], input);
  expect(asked.map((line) => line.endsWith(MAC))).toEqual([false, false, true, true]);
});

test("a nic that hung while it was taken back is not asked for more", async () => {
  const { asked, input } = machine("eth0 1");
  const { failed } = await applySteps([CLEAR, configure("nic-0", 0), configure("nic-1", 0)], input);
  expect(asked).toEqual([`eth0 1 ${MAC_NONE}`, `eth1 0 ${MAC}`]);
  expect(failed.map(({ reason }) => reason)).toEqual(["it hangs", `held back by ${CLEAR.key}`]);
});
