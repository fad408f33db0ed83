// Accounts' logs with the objects they speak of: each as it was at its revision, without gaps, the
// oldest part dropped when there is too much.
import { ACCOUNT_LOG_ROWS } from "@railyard/controller/store/account-log";
import type {
  AccountChangeRow,
  AccountRows,
  Encode,
  Store,
} from "@railyard/controller/store/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, OTHER, cause } = rows;

/** A network's name stands for its bytes; names are all that tenants see here. */
const names: Encode = async (tx, entries) => {
  const found: (Uint8Array | undefined)[] = [];
  for (const { kind, id } of entries) {
    const row = kind === "clusterNetwork" && (await tx.everyone.clusterNetworks.get(id as never));
    found.push(row ? Buffer.from(row.name) : undefined);
  }
  return found;
};

type Line = readonly [revision: number, op: string, id: string, object: string];

function lines(log: readonly AccountChangeRow[]): Line[] {
  return log.flatMap(({ accountRevision, entries }) =>
    entries.map(({ op, id, object }): Line => {
      const text = object ? Buffer.from(object).toString() : "";
      return [Number(accountRevision), op, id, text];
    }),
  );
}

function logOf(store: Store, account = ACCOUNT, after = 0n): Promise<readonly AccountChangeRow[]> {
  return store.read((tx) => tx.logs.accountChangesAfter(account, after, 100_000));
}

/** What watchers stand on. */
export function accountLogSuite(open: OpenStore): void {
  test("a log row holds each object as of its revision, a deleted one as last", async () => {
    const { store, reopen } = await open(names);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    const { id } = rows.network("cn-1");
    const change = (fn: (own: AccountRows["clusterNetworks"]) => Promise<void>) =>
      store.write(cause(), (tx) => fn(tx.account(ACCOUNT).clusterNetworks));
    await change((own) => own.insert(rows.network("cn-1", { name: "one" })));
    await change((own) => own.update(rows.network("cn-1", { name: "two" })));
    await change(async (own) => {
      await own.update(rows.network("cn-1", { name: "three" }));
      await own.insert(rows.network("cn-2", { name: "other" }));
    });
    await change((own) => own.delete(id));
    const again = await reopen();
    expect(lines(await logOf(again))).toEqual([
      [1, "created", "cn-1", "one"],
      [2, "updated", "cn-1", "two"],
      [3, "updated", "cn-1", "three"],
      [3, "created", "cn-2", "other"],
      [4, "deleted", "cn-1", "three"],
    ]);
    expect(lines(await logOf(again, ACCOUNT, 3n))).toEqual([[4, "deleted", "cn-1", "three"]]);
  });

  test("an update that no tenant can see is not in the account's log", async () => {
    const { store } = await open(names);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    await store.write(cause(), (tx) =>
      tx.account(ACCOUNT).clusterNetworks.insert(rows.network("cn-1", { name: "one" })),
    );
    await store.write(cause(), (tx) =>
      tx.account(ACCOUNT).clusterNetworks.update(rows.network("cn-1", { name: "one", etag: "e9" })),
    );
    expect(await logOf(store)).toHaveLength(1);
    expect(await store.read((tx) => tx.logs.changesAfter(2n, 10))).toHaveLength(1);
  });

  gapTest(open);
  trimTest(open);
}

interface Step {
  readonly account: typeof ACCOUNT;
  readonly network: number;
  readonly fails: boolean;
}

const STEPS = fc.array(
  fc.record<Step>({
    account: fc.constantFrom(ACCOUNT, OTHER),
    network: fc.integer({ min: 0, max: 2 }),
    fails: fc.boolean(),
  }),
  { maxLength: 40 },
);

function gapTest(open: OpenStore): void {
  test("under shared commits every account's log is whole and its own", async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        const { store } = await open(names);
        await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
        const model = new Map<string, string[]>([
          [ACCOUNT, []],
          [OTHER, []],
        ]);
        const writing = steps.map(({ account, network, fails }, i) =>
          store
            .write(cause("Put", account), async (tx) => {
              const own = tx.account(account).clusterNetworks;
              const row = rows.network(`${account}-${network}`, { account, name: `n${i}` });
              if (await own.get(row.id)) await own.update(row);
              else await own.insert(row);
              if (fails) throw new Error("planned");
            })
            .then(() => model.get(account)?.push(`n${i}`))
            .catch(() => undefined),
        );
        await Promise.all(writing);
        for (const account of [ACCOUNT, OTHER]) {
          const log = await logOf(store, account);
          const expected = model.get(account) ?? [];
          expect(log.map((row) => row.accountRevision)).toEqual(
            expected.map((_, i) => BigInt(i + 1)),
          );
          expect(lines(log).map(([, , , object]) => object)).toEqual(expected);
          expect(log.every((row) => row.entries.every((e) => e.account === account))).toBe(true);
        }
      }),
      { numRuns: 15 },
    );
  });
}

function trimTest(open: OpenStore): void {
  test("of a long log the newest rows are kept, and where it begins is known", async () => {
    const { store } = await open(names);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    const over = 5;
    const put = (i: number) =>
      store.write(cause(), async (tx) => {
        const own = tx.account(ACCOUNT).clusterNetworks;
        const row = rows.network("cn-1", { name: `n${i}` });
        await (i === 0 ? own.insert(row) : own.update(row));
      });
    const all = Array.from({ length: ACCOUNT_LOG_ROWS + over }, (_, i) => i);
    while (all.length > 0) await Promise.all(all.splice(0, 2_000).map(put));
    const log = () => store.read((tx) => tx.logs.accountLog(ACCOUNT));
    const newest = BigInt(ACCOUNT_LOG_ROWS + over);
    expect(await log()).toEqual({ newest, droppedTo: 0n });
    const gone = await store.write(cause(), (tx) => tx.expire(0));
    expect(gone.changes).toBe(over);
    expect(await log()).toEqual({ newest, droppedTo: BigInt(over) });
    expect(await store.read((tx) => tx.logs.accountLog(OTHER))).toEqual({
      newest: 0n,
      droppedTo: 0n,
    });
  });
}
