// Holds the made-up machine to the hardware contract: the large kind and the quick one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFakeHardware } from "@railyard/agent/hardware/fake/fake";
import { systemClock } from "@railyard/lib/clock";
import { hardwareConformance } from "./hardware.js";

for (const model of ["hgx-h200", "mini-2gpu"]) {
  hardwareConformance(`fake ${model}`, async () => {
    const dir = mkdtempSync(join(tmpdir(), "railyard-hw-"));
    const options = { dir, model, serial: "GH1001", cabling: [], clock: systemClock(), bootMs: 20 };
    return {
      hardware: createFakeHardware(options),
      reopen: () => createFakeHardware(options),
      close: async () => rmSync(dir, { recursive: true }),
    };
  });
}
