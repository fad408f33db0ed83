// Addresses of subnets against a plain set: what is free, what is lowest, how many there are.
import { tenantRun } from "@railyard/controller/domain/subnet";
import type { Store } from "@railyard/controller/store/contract";
import type { Cidr } from "@railyard/lib/address";
import type { SubnetId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OpenStore, StoreBox } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, BASE, cause } = rows;
const SUBNET = "cns-1" as SubnetId;
const FIRST = BASE + 4;
/** What tenants have of a /28. */
const SIZE = 11;
const NOTHING_TAKEN = { cidr: { first: BASE, prefix: 28 }, availableCount: SIZE };

/** A store with a subnet of that block, of which nothing was taken yet. */
async function opened(open: OpenStore, cidr: Cidr = NOTHING_TAKEN.cidr): Promise<StoreBox> {
  const box = await open();
  await box.store.write(cause(), async (tx) => {
    const own = tx.account(ACCOUNT);
    await tx.physicalClusters.insert(rows.cluster());
    await own.clusterNetworks.insert(rows.network());
    const { first, last } = tenantRun(cidr);
    await own.subnets.insert(rows.subnet(SUBNET, { cidr, availableCount: last - first + 1 }));
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

const ADDRESS = fc.integer({ min: BASE - 1, max: FIRST + SIZE + 1 });
const OPS = fc.array(
  fc.oneof<fc.Arbitrary<Op>[]>(
    fc.constant({ take: true }),
    ADDRESS.map((wanted) => ({ take: true, wanted })),
    ADDRESS.map((address) => ({ giveBack: address })),
  ),
  { maxLength: 60 },
);

/** take, takeLowest, giveBack. */
export function addressSuite(open: OpenStore): void {
  test("addresses behave like a set of free numbers", async () => {
    await fc.assert(
      fc.asyncProperty(OPS, async (ops) => {
        const { store } = await opened(open);
        const free = new Set(Array.from({ length: SIZE }, (_, i) => FIRST + i));
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
    const { store } = await opened(open);
    for (let i = 5; i < SIZE; i++) await take(store, FIRST + i);
    await take(store, FIRST + 1);
    const lowest = (count: number) =>
      store.write(cause(), (tx) => tx.account(ACCOUNT).addresses.takeLowest(SUBNET, count));
    expect(await lowest(2)).toEqual([FIRST, FIRST + 2]);
    expect(await availableIn(store)).toBe(2);
    expect(await lowest(3)).toEqual([FIRST + 3, FIRST + 4]);
    expect(await lowest(1)).toEqual([]);
    expect(await availableIn(store)).toBe(0);
  });

  test("a /9 takes and gives back without walking through its addresses", async () => {
    const { store } = await opened(open, { first: BASE, prefix: 9 });
    expect(await availableIn(store)).toBe(2 ** 23 - 5);
    const middle = BASE + 2 ** 22;
    expect(await take(store, middle)).toBe(middle);
    expect(await take(store, middle)).toBeUndefined();
    expect(await take(store)).toBe(FIRST);
    await giveBack(store, middle);
    expect(await availableIn(store)).toBe(2 ** 23 - 6);
  });

  test("addresses above 2^31 are kept exactly", async () => {
    const first = 223 * 2 ** 24;
    const box = await opened(open, { first, prefix: 28 });
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

  test("a subnet's runs go with it, and one of the same block and id begins anew", async () => {
    const { store } = await opened(open);
    await take(store, FIRST + 3);
    await store.write(cause(), (tx) => tx.account(ACCOUNT).subnets.delete(SUBNET));
    await store.write(cause(), (tx) =>
      tx.account(ACCOUNT).subnets.insert(rows.subnet(SUBNET, NOTHING_TAKEN)),
    );
    expect(await take(store, FIRST + 3)).toBe(FIRST + 3);
    expect(await availableIn(store)).toBe(SIZE - 1);
  });

  test("nothing is given away of a subnet without runs that does not count as whole", async () => {
    const { store } = await opened(open);
    const { cidr } = NOTHING_TAKEN;
    const wrong = rows.subnet(SUBNET, { cidr, availableCount: SIZE - 1 });
    await store.write(cause(), (tx) => tx.account(ACCOUNT).subnets.delete(SUBNET));
    await store.write(cause(), (tx) => tx.account(ACCOUNT).subnets.insert(wrong));
    await expect(take(store)).rejects.toMatchObject({ code: "bug" });
    await expect(take(store, FIRST)).rejects.toMatchObject({ code: "bug" });
  });

  test("a subnet whose last address came back is as if nothing had been taken", async () => {
    const { store } = await opened(open);
    await take(store, FIRST + 3);
    await giveBack(store, FIRST + 3);
    await expect(giveBack(store, FIRST + 3)).rejects.toMatchObject({ code: "bug" });
    expect(await take(store)).toBe(FIRST);
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
  const legal = address >= FIRST && address < FIRST + SIZE && !free.has(address);
  if (legal) {
    await giveBack(store, address);
    free.add(address);
  } else {
    await expect(giveBack(store, address)).rejects.toMatchObject({ code: "bug" });
  }
}
