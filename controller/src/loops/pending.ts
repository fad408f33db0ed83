// Ends instances that were left pending by creates in two transactions, as there were once.
import { Loop } from "@railyard/lib/loop";
import type { ServiceContext } from "../service/context.js";
import { sweepPending } from "../service/instance-pending.js";

export function pendingLoop(ctx: ServiceContext, periodMs: number): Loop {
  const { clock, log } = ctx;
  return new Loop({
    name: "pending",
    clock,
    log,
    periodMs,
    runOnce: async () => {
      const instances = await sweepPending(ctx);
      if (instances > 0) log.info({ instances }, "pending instances failed");
    },
  });
}
