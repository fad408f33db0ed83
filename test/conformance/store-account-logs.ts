// Accounts' logs with the objects they speak of: each as it was at its revision, without gaps, the
// oldest part dropped when there is too much.
import { ACCOUNT_LOG_BYTES, ACCOUNT_LOG_ROWS } from "@railyard/controller/store/account-log";
import type {
  AccountChangeRow,
  AccountRows,
  Encode,
  Shown,
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
  return store.read((tx) => tx.logs.accountChangesAfter(account, after, { rows: 100_000 }));
}

function sharedCommitTests(open: OpenStore): void {
  test("writes of one commit see each other's objects, and nothing of one that fails", async () => {
    const { store } = await open(names);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    const change = (fn: (own: AccountRows["clusterNetworks"]) => Promise<void>) =>
      store.write(cause(), (tx) => fn(tx.account(ACCOUNT).clusterNetworks));
    const named = (name: string, etag = "e1") => rows.network("cn-1", { name, etag });
    const outcomes = await Promise.allSettled([
      change((own) => own.insert(named("one"))),
      change((own) => own.update(named("two"))),
      change(async (own) => {
        await own.update(named("three"));
        await own.insert(named("three"));
      }),
      change((own) => own.update(named("two", "e2"))),
      change((own) => own.delete(named("two").id)),
      change((own) => own.insert(named("four"))),
      change((own) => own.insert(rows.network("cn-2", { name: "gone" }))),
      change((own) => own.delete(rows.network("cn-2").id)),
    ]);
    expect(outcomes.map(({ status }) => status === "fulfilled")).toEqual([
      ...[true, true, false, true, true, true, true, true],
    ]);
    expect(lines(await logOf(store))).toEqual([
      [1, "created", "cn-1", "one"],
      [2, "updated", "cn-1", "two"],
      [3, "deleted", "cn-1", "two"],
      [4, "created", "cn-1", "four"],
      [5, "created", "cn-2", "gone"],
      [6, "deleted", "cn-2", "gone"],
    ]);
    const { shown } = await store.read(async (tx) => {
      const own = tx.account(ACCOUNT).clusterNetworks as unknown as Shown<string, object>;
      return { shown: [await own.shown("cn-1"), await own.shown("cn-2")] };
    });
    expect(shown.map((bytes) => bytes && Buffer.from(bytes).toString())).toEqual([
      "four",
      undefined,
    ]);
  });

  test("within a write, logs are those of what was committed before", async () => {
    const { store } = await open(names);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    const add = (id: string) =>
      store.write(cause(), async (tx) => {
        await tx.account(ACCOUNT).clusterNetworks.insert(rows.network(id));
        return tx.logs.changesAfter(0n, 10);
      });
    const [first, second] = await Promise.all([add("cn-1"), add("cn-2")]);
    expect([first.length, second.length]).toEqual([1, 1]);
    expect(await add("cn-3")).toHaveLength(3);
  });
}

function momentTests(open: OpenStore): void {
  test("a moment of a write is a revision of its own, and stands or falls with it", async () => {
    const { store } = await open(names);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    const before = await store.revision();
    const named = (name: string) => rows.network("cn-1", { name });
    const both = (fails: boolean) =>
      store.write(cause(), async (tx) => {
        const own = tx.account(ACCOUNT).clusterNetworks;
        await own.insert(named("one"));
        await own.insert(rows.network("cn-2", { name: "same" }));
        await tx.moment();
        await own.update(rows.network("cn-2", { name: "same", etag: "e2" }));
        await own.update(named("two"));
        if (fails) throw new Error("no");
      });
    await both(true).catch(() => undefined);
    expect(lines(await logOf(store))).toEqual([]);
    await both(false);
    // What looks the same to its account is not told again.
    expect(lines(await logOf(store))).toEqual([
      [1, "created", "cn-1", "one"],
      [1, "created", "cn-2", "same"],
      [2, "updated", "cn-1", "two"],
    ]);
    expect(await store.revision()).toBe(before + 1n);
    const [change] = await store.read((tx) => tx.logs.changesAfter(before, 9));
    expect(change?.entries.map(({ id, op }) => [id, op])).toEqual([
      ...[
        ["cn-1", "created"],
        ["cn-2", "created"],
      ],
    ]);
  });
}

/** What watchers stand on. */
export function accountLogSuite(open: OpenStore): void {
  sharedCommitTests(open);
  momentTests(open);

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

  pageTest(open);
  gapTest(open);
  trimTest(open);
  trimBytesTest(open);
}

function pageTest(open: OpenStore): void {
  test("a page of the log ends at its bytes, but never before its first row", async () => {
    const { store } = await open(names);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    const put = (etag: string, name: string) =>
      store.write(cause(), async (tx) => {
        const own = tx.account(ACCOUNT).clusterNetworks;
        const row = rows.network("cn-1", { name, etag });
        await (etag === "e0" ? own.insert(row) : own.update(row));
      });
    for (let i = 0; i < 6; i++) await put(`e${i}`, `${i}`.repeat(10_000));
    const page = async (after: bigint, bytes: number, most = 100) => {
      const read = await store.read((tx) =>
        tx.logs.accountChangesAfter(ACCOUNT, after, { rows: most, bytes }),
      );
      return read.map(({ accountRevision }) => Number(accountRevision));
    };
    expect(await page(0n, 35_000)).toEqual([1, 2, 3]);
    expect(await page(3n, 35_000, 2)).toEqual([4, 5]);
    expect(await page(3n, 1)).toEqual([4]);
    expect(await page(3n, 1_000_000)).toEqual([4, 5, 6]);
    expect(await page(6n, 1)).toEqual([]);
  });
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

/** Objects as large as their names say, in bytes. */
const large: Encode = async (tx, entries) => {
  const found = await names(tx, entries);
  return found.map((name) => name && Buffer.alloc(Number.parseInt(name.toString(), 10)));
};

function trimBytesTest(open: OpenStore): void {
  test("of a log with large rows the newest are kept that its bytes hold, or one", async () => {
    const { store } = await open(large);
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    let count = 0;
    const put = (bytes: number) =>
      store.write(cause(), (tx) => {
        count += 1;
        const row = rows.network(`cn-${count}`, { name: `${bytes}-${count}` });
        return tx.account(ACCOUNT).clusterNetworks.insert(row);
      });
    const log = () => store.read((tx) => tx.logs.accountLog(ACCOUNT));
    const putAll = async (...sizes: readonly number[]) => void (await Promise.all(sizes.map(put)));
    const kept = async () => {
      const { newest, droppedTo } = await log();
      const held = (await logOf(store)).map(({ accountRevision }) => accountRevision);
      expect(held).toEqual(held.map((_, i) => droppedTo + BigInt(i + 1)));
      expect([held.at(-1), Number(newest)]).toEqual([newest, count]);
      return held.length;
    };
    // What stands around objects takes less than an eighth.
    const eighth = ACCOUNT_LOG_BYTES / 8;
    await putAll(...Array.from({ length: 7 }, () => eighth));
    expect(await kept()).toBe(7);
    await put(eighth);
    expect(await kept()).toBe(7);
    await put(eighth / 2);
    expect(await kept()).toBe(8);
    await putAll(eighth, 2 * eighth, eighth);
    expect(await kept()).toBe(7);
    await put(ACCOUNT_LOG_BYTES + 1);
    expect(await kept()).toBe(1);
    await put(1);
    expect(await kept()).toBe(1);
    // What goes by count is no longer counted.
    await putAll(...Array.from({ length: 4 }, () => eighth));
    const small = Array.from({ length: ACCOUNT_LOG_ROWS }, () => 1);
    await putAll(...small.splice(0, ACCOUNT_LOG_ROWS / 2));
    await putAll(...small);
    await store.write(cause(), (tx) => tx.expire(0));
    expect(await kept()).toBe(ACCOUNT_LOG_ROWS);
    await putAll(...Array.from({ length: 5 }, () => eighth));
    expect(await kept()).toBe(ACCOUNT_LOG_ROWS + 5);
  });
}
