// Calls the agent's production code for Linux hardware by hand, inside an emulated hypervisor:
// `hands.mjs <strict|shared> <JSON list of [method, ...arguments]>` prints a JSON list of outcomes.
import { createLinuxHardware } from "@railyard/agent/hardware/linux/linux";
import { systemOutside } from "@railyard/agent/hardware/linux/outside";
import { systemClock } from "@railyard/lib/clock";

const [iommu, calls] = process.argv.slice(2);
const clock = systemClock();
const hardware = createLinuxHardware({
  ...{ outside: systemOutside(clock), clock, iommu, fake: false },
  // Nothing here speaks of guests.
  guests: {},
});
const outcomes = [];
for (const [method, ...args] of JSON.parse(calls)) {
  try {
    outcomes.push({ ok: (await hardware[method](...args)) ?? null });
  } catch (thrown) {
    outcomes.push({ error: thrown.message });
  }
}
console.log(JSON.stringify(outcomes));
