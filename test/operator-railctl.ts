// railctl in this process, as the first operator of a yard.
import { join } from "node:path";
import { run } from "@railyard/cli/program";
import { systemClock } from "@railyard/lib/clock";
import { systemRng } from "@railyard/lib/rng";
import type { Yard } from "./yard.js";

/** Its exit status and all that it printed. */
export async function operatorRailctl(yard: Yard, ...args: readonly string[]) {
  const admin = `127.0.0.1:${yard.controller.ports.admin}`;
  const tokenFile = join(yard.dir, "controller", "operator.token");
  const said: string[] = [];
  const stream = { write: (text: string) => void said.push(text), tty: false };
  const code = await run([...args, "--token-file", tokenFile], {
    stdout: stream,
    stderr: stream,
    environment: () => ({ server: admin, adminServer: admin, token: undefined, color: false }),
    clock: systemClock(),
    rng: systemRng(),
  });
  return { code, text: said.join("") };
}
