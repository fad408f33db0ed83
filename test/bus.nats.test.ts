// The bus over a real nats-server against the shared suite.
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { connectNats } from "@railyard/lib/bus/nats";
import { systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { startBroker } from "./broker.js";
import { busConformance, LEFT, RIGHT } from "./conformance/bus.js";

busConformance("nats", async () => {
  const identities = { left: createBusIdentity(), right: createBusIdentity() };
  const user = (who: "left" | "right", permissions: typeof LEFT) =>
    JSON.stringify({
      nkey: identities[who].publicKey,
      permissions: { ...permissions, allow_responses: true },
    });
  const broker = await startBroker(
    `authorization: { users: [${user("left", LEFT)}, ${user("right", RIGHT)}] }`,
  );
  return {
    connect: (identity) =>
      connectNats({
        server: broker.server,
        seed: identities[identity].seed,
        name: identity,
        inboxPrefix: `_INBOX.${identity}`,
        clock: systemClock(),
        log: silentLog(),
      }),
    restart: () => broker.restart(),
    close: () => broker.stop(),
  };
});
