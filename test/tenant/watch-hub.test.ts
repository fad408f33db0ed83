// How the logs of watched accounts are followed: only what grew is looked at, and all is found.
import { createNetwork } from "@railyard/controller/service/cluster-network";
import { GATHER_MS, WATCH_PERIOD_MS, WatchHub } from "@railyard/controller/service/watch/hub";
import type { Store } from "@railyard/controller/store/contract";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { expect, test } from "vitest";
import { ALICE, BOB, networkWish, type Rig, rig } from "./rig.js";

/** The store, noting whose log is read. */
function noting({ ctx: { store } }: Rig, asked: AccountId[]): Store {
  const read: Store["read"] = (fn) =>
    store.read((tx) => {
      const logs: typeof tx.logs = Object.create(tx.logs);
      logs.accountChangesAfter = (account, ...rest) => {
        asked.push(account);
        return tx.logs.accountChangesAfter(account, ...rest);
      };
      return fn({ ...tx, logs });
    });
  return Object.assign(Object.create(store) as Store, { read });
}

async function settle({ clock }: Rig, ms: number): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(ms);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("only the logs of accounts that changed are looked at, and all now and then", async () => {
  const made = await rig();
  const asked: AccountId[] = [];
  const store = noting(made, asked);
  const hub = new WatchHub({ store, clock: made.clock, log: silentLog() });
  hub.start();
  for (const account of [ALICE, BOB]) await hub.join(account, undefined);
  await settle(made, GATHER_MS);
  expect(new Set(asked.splice(0))).toEqual(new Set([ALICE, BOB]));
  await createNetwork(made.ctx, made.call(), networkWish());
  await settle(made, GATHER_MS);
  expect(asked.splice(0)).toEqual([ALICE]);
  await made.write((tx) => tx.zones.put({ name: "us-east-9" }));
  await settle(made, GATHER_MS);
  expect(asked.splice(0)).toEqual([]);
  await settle(made, WATCH_PERIOD_MS);
  expect(new Set(asked)).toEqual(new Set([ALICE, BOB]));
  await hub.stop();
});
