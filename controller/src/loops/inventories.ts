// Tells of inventories that were held back because too many nodes differed at once, and has them
// judged when that is over.
import { Loop } from "@railyard/lib/loop";
import type { ServiceContext } from "../service/context.js";
import { reviewInventories } from "../service/inventory-breaker.js";

export function inventoriesLoop(ctx: ServiceContext, periodMs: number): Loop {
  const { clock, log } = ctx;
  let withheld = 0;
  return new Loop({
    name: "inventories",
    clock,
    log,
    periodMs,
    runOnce: async () => {
      const reviewed = await reviewInventories(ctx);
      const { released, withheld: nodes } = reviewed;
      if (nodes > 0 && withheld === 0) {
        log.error({ nodes }, "too many machines look unfit at once: the rest is not believed");
      }
      if (released.length > 0) log.warn({ nodes: released.length }, "held inventories are judged");
      else if (nodes === 0 && withheld > 0) log.info({}, "no inventory is held back any more");
      withheld = nodes;
    },
  });
}
