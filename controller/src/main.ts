#!/usr/bin/env node
// The controller as a process: settings in, signals heard, exit code out. It must not know what a
// controller does.
import { asRailyardError } from "@railyard/lib/errors";
import { createLog } from "@railyard/lib/log";
import { readConfig } from "./config.js";
import { createController } from "./controller.js";

try {
  const controller = await createController(readConfig());
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => void controller.stop());
  }
  await controller.start().catch(async (thrown) => {
    await controller.stop();
    throw thrown;
  });
} catch (thrown) {
  const { code, message, cause } = asRailyardError(thrown);
  createLog("controller", "info").fatal(
    { code, reason: message, err: cause },
    "controller cannot start",
  );
  process.exitCode = 1;
}
