// Judges which nodes are silent. It condemns nobody while it cannot hear: before one lease time of
// listening, while the bus is down, after it slept, or when most of the fleet falls silent at once.
import { Loop } from "@railyard/lib/loop";
import type { ServiceContext } from "../service/context.js";
import { listenToNodes } from "../service/node-silence.js";

/** Passes in one lease time. */
const PASSES_PER_LEASE = 4;
const PERIOD_MS_MAX = 1_000;

export interface LeasesOptions {
  readonly ctx: ServiceContext;
  /** Whether heartbeats can arrive at this moment. */
  readonly hears: () => boolean;
}

export function leasesLoop({ ctx, hears }: LeasesOptions): Loop {
  const { clock, leases, log } = ctx;
  let wokeAt = Number.NEGATIVE_INFINITY;
  let spared = 0;
  return new Loop({
    name: "leases",
    clock,
    log,
    periodMs: Math.min(PERIOD_MS_MAX, Math.ceil(leases.leaseMs / PASSES_PER_LEASE)),
    runOnce: async () => {
      const now = clock.monotonic();
      const slept = now - wokeAt > leases.leaseMs;
      wokeAt = now;
      // Heartbeats of that time were not heard, or wait behind this very pass.
      if (slept || !hears()) leases.attend();
      const listened = await listenToNodes(ctx);
      if (listened.spared > 0 && spared === 0) {
        const nodes = listened.spared;
        log.error({ nodes }, "most nodes fell silent at once: none is condemned for it");
      } else if (listened.spared === 0 && spared > 0) log.info({}, "nodes are judged again");
      spared = listened.spared;
    },
  });
}
