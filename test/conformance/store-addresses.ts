// Addresses of subnets against a plain set: what is free, what is lowest, how many there are.
import type { Store } from "@railyard/controller/store/contract";
import type { SubnetId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OpenStore, StoreBox } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, BASE, cause } = rows;
const SUBNET = "cns-1" as SubnetId;
const SIZE = 12;

async function opened(open: OpenStore, last = BASE + SIZE - 1): Promise<StoreBox> {
  const box = await open();
  await box.store.write(cause(), async (tx) => {
    await rows.plant(tx);
    await tx.account(ACCOUNT).addresses.open(SUBNET, { first: BASE, last });
  });
  return box;
}

function availableIn(store: Store): Promise<number | undefined> {
  return store.read(async (tx) => (await tx.everyone.subnets.get(SUBNET))?.availableCount);
}

function take(store: Store, wanted?: number): Promise<number | undefined> {
  return store.write(cause(), (tx) => tx.account(ACCOUNT).addresses.take(SUBNET, wanted));
}

function giveBack(store: Store, address: number): Promise<void> {
  return store.write(cause(), (tx) => tx.account(ACCOUNT).addresses.giveBack(SUBNET, address));
}

type Op = { readonly take: true; readonly wanted?: number } | { readonly giveBack: number };

const ADDRESS = fc.integer({ min: BASE - 1, max: BASE + SIZE });
const OPS = fc.array(
  fc.oneof<fc.Arbitrary<Op>[]>(
    fc.constant({ take: true }),
    ADDRESS.map((wanted) => ({ take: true, wanted })),
    ADDRESS.map((address) => ({ giveBack: address })),
  ),
  { maxLength: 60 },
);

/** open, take, giveBack, close. */
export function addressSuite(open: OpenStore): void {
  test("addresses behave like a set of free numbers", async () => {
    await fc.assert(
      fc.asyncProperty(OPS, async (ops) => {
        const { store } = await opened(open);
        const free = new Set(Array.from({ length: SIZE }, (_, i) => BASE + i));
        for (const op of ops) await step(store, free, op);
        expect(await availableIn(store)).toBe(free.size);
        for (const address of [...free].sort((a, b) => a - b)) {
          expect(await take(store)).toBe(address);
        }
        expect(await take(store)).toBeUndefined();
      }),
      { numRuns: 25 },
    );
  });

  test("several are taken lowest first over gaps, and fewer when no more are free", async () => {
    const { store } = await opened(open, BASE + 4);
    await take(store, BASE + 1);
    const lowest = (count: number) =>
      store.write(cause(), (tx) => tx.account(ACCOUNT).addresses.takeLowest(SUBNET, count));
    expect(await lowest(2)).toEqual([BASE, BASE + 2]);
    expect(await availableIn(store)).toBe(2);
    expect(await lowest(3)).toEqual([BASE + 3, BASE + 4]);
    expect(await lowest(1)).toEqual([]);
    expect(await availableIn(store)).toBe(0);
  });

  test("a /9 takes and gives back without walking through its addresses", async () => {
    const { store } = await opened(open, BASE + 2 ** 23 - 2);
    expect(await availableIn(store)).toBe(2 ** 23 - 1);
    const middle = BASE + 2 ** 22;
    expect(await take(store, middle)).toBe(middle);
    expect(await take(store, middle)).toBeUndefined();
    expect(await take(store)).toBe(BASE);
    await giveBack(store, middle);
    expect(await availableIn(store)).toBe(2 ** 23 - 2);
  });

  test("addresses above 2^31 are kept exactly", async () => {
    const box = await open();
    const first = 223 * 2 ** 24;
    await box.store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await tx.account(ACCOUNT).addresses.open(SUBNET, { first, last: first + 9 });
    });
    expect(await take(box.store, first + 5)).toBe(first + 5);
    expect(await take(await box.reopen(), first + 6)).toBe(first + 6);
  });

  subnetTests(open);
}

function subnetTests(open: OpenStore): void {
  test("taking shows the subnet as updated; its own update keeps the count", async () => {
    const { store } = await opened(open);
    await store.write(cause(), async (tx) => {
      await tx.account(ACCOUNT).addresses.take(SUBNET);
      await tx.account(ACCOUNT).subnets.update(rows.subnet(SUBNET, { name: "other" }));
    });
    expect(await availableIn(store)).toBe(SIZE - 1);
    const page = { rows: 10 };
    const [change] = await store.read((tx) => tx.logs.accountChangesAfter(ACCOUNT, 1n, page));
    expect(change?.entries).toMatchObject([{ kind: "subnet", id: SUBNET, op: "updated" }]);
  });

  test("a subnet's runs go with it, and closing before or after does no harm", async () => {
    const { store } = await opened(open);
    await store.write(cause(), async (tx) => {
      const own = tx.account(ACCOUNT);
      const [a, b] = [rows.subnet("cns-8"), rows.subnet("cns-9")];
      for (const row of [a, b]) {
        await own.subnets.insert(row);
        await own.addresses.open(row.id, { first: BASE, last: BASE + 2 });
      }
      await own.addresses.close(a.id);
      await own.subnets.delete(a.id);
      await own.subnets.delete(b.id);
      await own.addresses.close(b.id);
    });
    expect(await availableIn(store)).toBe(SIZE);
  });
}

async function step(store: Store, free: Set<number>, op: Op): Promise<void> {
  if ("take" in op) {
    const expected = op.wanted ?? Math.min(...free);
    const there = free.delete(expected);
    expect(await take(store, op.wanted)).toBe(there ? expected : undefined);
    return;
  }
  const address = op.giveBack;
  const legal = address >= BASE && address < BASE + SIZE && !free.has(address);
  if (legal) {
    await giveBack(store, address);
    free.add(address);
  } else {
    await expect(giveBack(store, address)).rejects.toMatchObject({ code: "bug" });
  }
}
