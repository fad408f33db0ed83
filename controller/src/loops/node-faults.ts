// Ends injected faults whose time is over.
import { Loop } from "@railyard/lib/loop";
import type { ServiceContext } from "../service/context.js";
import { expireFaults } from "../service/node-fault.js";

export function nodeFaultsLoop(ctx: ServiceContext, periodMs: number): Loop {
  const { clock, log } = ctx;
  return new Loop({
    name: "faults",
    clock,
    log,
    periodMs,
    runOnce: async () => {
      await expireFaults(ctx);
    },
  });
}
