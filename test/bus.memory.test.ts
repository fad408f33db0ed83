// The bus in memory against the shared suite.
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { systemClock } from "@railyard/lib/clock";
import { busConformance, LEFT, RIGHT } from "./conformance/bus.js";

busConformance("memory", async () => {
  const broker = new MemoryBroker(systemClock());
  return {
    connect: async (identity) => broker.connect(identity, identity === "left" ? LEFT : RIGHT),
    restart: async () => {
      broker.setUp(false);
      broker.setUp(true);
    },
    close: async () => undefined,
  };
});
