// How the logs of watched accounts are followed: only what grew is looked at, and all is found.
import { createNetwork } from "@railyard/controller/service/cluster-network";
import {
  GATHER_MS,
  SHARED,
  SHARED_BYTES_OF_ALL,
  WATCH_PERIOD_MS,
  WatchHub,
} from "@railyard/controller/service/watch/hub";
import type { AccountEntry, Store } from "@railyard/controller/store/contract";
import { bug } from "@railyard/lib/errors";
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
  const hub = new WatchHub({
    ...{ store, clock: made.clock, log: silentLog() },
    complete: (entry) => [entry],
  });
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

/** A store of logs alone: rows of the same size, as many of each account as `newest` says. */
function logsOf(newest: ReadonlyMap<AccountId, bigint>, object: Uint8Array): Store {
  const rowOf = (account: AccountId, accountRevision: bigint) => {
    const entry = { kind: "subnet", id: "cns-1", account, op: "updated" as const, object };
    return { accountRevision, revision: accountRevision, at: 0, entries: [entry] };
  };
  const logs = {
    accountLog: async (account: AccountId) => ({
      newest: newest.get(account) ?? 0n,
      droppedTo: 0n,
    }),
    accountChangesAfter: async (account: AccountId, after: bigint) => {
      const rows = Number((newest.get(account) ?? 0n) - after);
      return Array.from({ length: rows }, (_, i) => rowOf(account, after + BigInt(i + 1)));
    },
  };
  const read = (fn: (tx: { logs: typeof logs }) => Promise<unknown>) => fn({ logs });
  return { read, onTouch: () => undefined, onCommit: () => undefined } as unknown as Store;
}

test("the more accounts are watched the less is kept of each, also of one that rests", async () => {
  const made = await rig();
  const newest = new Map<AccountId, bigint>();
  const row = new Uint8Array(SHARED.bytes / 8);
  const hub = new WatchHub({
    ...{ store: logsOf(newest, row), clock: made.clock, log: silentLog() },
    complete: (entry) => [entry],
  });
  hub.start();
  const [first, ...others] = Array.from(
    { length: SHARED_BYTES_OF_ALL / SHARED.bytes + 16 },
    (_, i) => `acc-${i}` as AccountId,
  ) as [AccountId, ...AccountId[]];
  const reader = await hub.join(first, undefined);
  await settle(made, GATHER_MS);
  newest.set(first, 3n);
  await settle(made, WATCH_PERIOD_MS);
  expect(hub.atHand(first, reader)).toHaveLength(3);
  for (const account of others) await hub.join(account, undefined);
  await settle(made, GATHER_MS);
  for (const account of others) newest.set(account, 3n);
  for (let periods = 0; periods < 4; periods++) await settle(made, WATCH_PERIOD_MS);
  // Its half holds one of the rows, and so not the next one of a reader that took none.
  expect(hub.atHand(first, reader)).toHaveLength(0);
  await hub.stop();
});

test("a log that cannot be told ends its own readers, and keeps no others waiting", async () => {
  const made = await rig();
  const newest = new Map<AccountId, bigint>();
  const complete = (entry: AccountEntry) => {
    if (entry.account === ALICE && newest.get(ALICE) === 1n) throw bug("damaged");
    return [entry];
  };
  const store = logsOf(newest, new Uint8Array(1));
  const hub = new WatchHub({ store, clock: made.clock, log: silentLog(), complete });
  hub.start();
  const periods = async () => {
    for (let i = 0; i < 2; i++) await settle(made, WATCH_PERIOD_MS);
  };
  const [alice, bob] = [await hub.join(ALICE, undefined), await hub.join(BOB, undefined)];
  await settle(made, GATHER_MS);
  for (const account of [ALICE, BOB]) newest.set(account, 1n);
  await periods();
  expect(hub.atHand(BOB, bob)).toHaveLength(1);
  const waiting = { ms: WATCH_PERIOD_MS, signal: new AbortController().signal };
  await expect(hub.arrive(ALICE, alice, waiting)).rejects.toThrow("damaged");
  // Who comes from now on is told what comes from now on.
  const later = await hub.join(ALICE, undefined);
  newest.set(ALICE, 2n);
  await periods();
  expect(hub.atHand(ALICE, later).map((row) => row.accountRevision)).toEqual([2n]);
  await hub.stop();
});
