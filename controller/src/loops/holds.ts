// Gives back the room of holds whose time is over.
import { Loop } from "@railyard/lib/loop";
import type { ServiceContext } from "../service/context.js";
import { expireHolds } from "../service/hold.js";

export function holdsLoop(ctx: ServiceContext, periodMs: number): Loop {
  const { clock, log } = ctx;
  return new Loop({
    name: "holds",
    clock,
    log,
    periodMs,
    runOnce: async () => {
      await expireHolds(ctx);
    },
  });
}
