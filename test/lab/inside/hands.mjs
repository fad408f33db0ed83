// Calls the agent's production code for Linux hardware by hand, inside an emulated hypervisor,
// where loading it takes seconds: once loaded it answers again and again. The arguments are two
// pipes. A JSON list of `strict` or `shared` and then of calls, [method, ...arguments], comes in by
// the first; a JSON list of outcomes goes out by the second.
import { readFile, writeFile } from "node:fs/promises";
import { createLinuxHardware } from "@railyard/agent/hardware/linux/linux";
import { systemOutside } from "@railyard/agent/hardware/linux/outside";
import { systemClock } from "@railyard/lib/clock";

const [asked, answered] = process.argv.slice(2);
const TOOL_MS = 10_000;
const clock = systemClock();
const outside = systemOutside(clock);

async function outcomesOf(iommu, calls) {
  // Nothing here speaks of guests.
  const hardware = createLinuxHardware({ outside, clock, iommu, fake: false, guests: {} });
  const hands = { ...hardware, exec: (tool, args) => outside.exec(tool, args, TOOL_MS) };
  const outcomes = [];
  for (const [method, ...args] of calls) {
    try {
      outcomes.push({ ok: (await hands[method](...args)) ?? null });
    } catch (thrown) {
      outcomes.push({ error: thrown.message, code: thrown.code });
    }
  }
  return outcomes;
}

for (;;) {
  const [iommu, ...calls] = JSON.parse(await readFile(asked, "utf8"));
  await writeFile(answered, JSON.stringify(await outcomesOf(iommu, calls)));
}
