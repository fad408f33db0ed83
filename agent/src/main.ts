#!/usr/bin/env node
// The agent as a process: arguments and settings in, signals heard, exit code out. It must not know
// what an agent does.
import { systemClock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import { createLog } from "@railyard/lib/log";
import { createAgent } from "./agent.js";
import { readConfig } from "./config.js";
import { INVENTORY_USAGE, inventoryCommand } from "./main/inventory-command.js";

const USAGE_STATUS = 2;
const USAGE = `usage: railyard-agent             run the agent; settings are in the environment
       railyard-agent inventory   print what this machine has
`;

const [verb, ...rest] = process.argv.slice(2);
if (verb === undefined) runAgent();
else if (verb === "inventory") await printInventory(rest);
else {
  const asked = verb === "--help" || verb === "-h";
  (asked ? process.stdout : process.stderr).write(USAGE);
  if (!asked) process.exitCode = USAGE_STATUS;
}

function runAgent(): void {
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
}

async function printInventory(args: readonly string[]): Promise<void> {
  try {
    process.stdout.write(await inventoryCommand(args, systemClock()));
  } catch (thrown) {
    const { code, message } = asRailyardError(thrown);
    const usage = code === "invalid" ? `\n${INVENTORY_USAGE}` : "";
    process.stderr.write(`railyard-agent: ${message}\n${usage}`);
    process.exitCode = code === "invalid" ? USAGE_STATUS : 1;
  }
}
