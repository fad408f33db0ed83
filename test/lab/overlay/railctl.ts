// A guest's console as a person has it: through a process of railctl, with pipes for a terminal.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Customer } from "../../customer.js";
import { until } from "../../until.js";

const RAILCTL = fileURLToPath(new URL("../../../cli/bin/railctl.js", import.meta.url));
const ANSWER_MS = 60_000;

/** Types one line at a guest's console and waits for `wanted`; railctl has to end well. */
export async function typeByRailctl(
  { wire }: Customer,
  instanceId: string,
  { line, wanted }: { readonly line: string; readonly wanted: string },
): Promise<void> {
  const child = spawn(process.execPath, [RAILCTL, "instance", "console", instanceId], {
    env: { RAILYARD_SERVER: wire.server, RAILYARD_TOKEN: wire.token ?? "" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const code = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  child.stdout.on("data", (bytes: Buffer) => {
    said += bytes.toString();
  });
  try {
    child.stdin.write(`${line}\r`);
    await until("the guest answers railctl", () => said.includes(wanted), ANSWER_MS);
    child.stdin.end();
    assert.equal(await code, 0);
  } finally {
    child.kill();
  }
}
