#!/usr/bin/env node
// The agent as a process: settings in, signals heard, exit code out. It must not know what an agent
// does.
import { asRailyardError } from "@railyard/lib/errors";
import { createLog } from "@railyard/lib/log";
import { createAgent } from "./agent.js";
import { readConfig } from "./config.js";

try {
  const agent = createAgent(readConfig());
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    // An outside tool that hangs must not keep the process: there is nothing left to wait for.
    process.once(signal, () => void agent.stop().finally(() => process.exit()));
  }
  agent.start();
} catch (thrown) {
  const { code, message, cause } = asRailyardError(thrown);
  createLog("agent", "info").fatal({ code, reason: message, err: cause }, "agent cannot start");
  process.exitCode = 1;
}
