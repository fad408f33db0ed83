// Calls the agent's production code for Linux hardware by hand, inside an emulated hypervisor:
// `hands.mjs <strict|shared> <JSON list of [method, ...arguments]>` prints a JSON list of outcomes.
import { createLinuxHardware } from "@railyard/agent/hardware/linux/linux";
import { systemOutside } from "@railyard/agent/hardware/linux/outside";
import { systemClock } from "@railyard/lib/clock";

const [iommu, calls] = process.argv.slice(2);
const TOOL_MS = 10_000;
const clock = systemClock();
const outside = systemOutside(clock);
// Nothing here speaks of guests.
const hardware = createLinuxHardware({ outside, clock, iommu, fake: false, guests: {} });
const hands = { ...hardware, exec: (tool, args) => outside.exec(tool, args, TOOL_MS) };
const outcomes = [];
for (const [method, ...args] of JSON.parse(calls)) {
  try {
    outcomes.push({ ok: (await hands[method](...args)) ?? null });
  } catch (thrown) {
    outcomes.push({ error: thrown.message, code: thrown.code });
  }
}
console.log(JSON.stringify(outcomes));
