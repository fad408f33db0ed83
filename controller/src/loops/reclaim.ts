// Drops what has had its time: request records after a day, quarantines of addresses and ids that
// are over, the oldest part of long logs.
import { Loop } from "@railyard/lib/loop";
import type { ServiceContext } from "../service/context.js";

export function reclaimLoop(ctx: ServiceContext, periodMs: number): Loop {
  const { clock, log, store } = ctx;
  return new Loop({
    name: "reclaim",
    clock,
    log,
    periodMs,
    runOnce: async () => {
      const at = clock.now();
      const cause = { by: "system:reclaim", method: "store.expire", at };
      const gone = await store.write(cause, (tx) => tx.expire(at));
      if (gone.requests + gone.quarantines + gone.changes > 0) log.info(gone, "expired");
    },
  });
}
