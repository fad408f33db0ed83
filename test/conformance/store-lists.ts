// Lists: filters, orders, totals, and pages that stay put while rows come and go.

import type { ClusterNetwork } from "@railyard/controller/domain/cluster-network";
import type {
  ListOrder,
  ListQuery,
  NetworkFilter,
  Store,
} from "@railyard/controller/store/contract";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, OTHER, NOW, cause } = rows;

/** Pairs of rows share a creation time, so that ties matter. */
const COUNT = 11;

function made(i: number): ClusterNetwork {
  const name = `n${String((i * 7) % COUNT).padStart(2, "0")}`;
  return rows.network(`cn-${i}`, {
    name,
    createdAt: NOW + Math.floor(i / 2),
    vpcId: `vpc-${i % 2}`,
  });
}

async function filled(open: OpenStore): Promise<Store> {
  const { store } = await open();
  await store.write(cause(), async (tx) => {
    await tx.physicalClusters.insert(rows.cluster());
    for (let i = 0; i < COUNT; i++) await tx.account(ACCOUNT).clusterNetworks.insert(made(i));
    const theirs = rows.network("cn-x", { account: OTHER });
    await tx.account(OTHER).clusterNetworks.insert(theirs);
  });
  return store;
}

function page(store: Store, query: ListQuery<NetworkFilter>) {
  return store.read((tx) => tx.account(ACCOUNT).clusterNetworks.list(query));
}

async function walk(store: Store, query: Omit<ListQuery<NetworkFilter>, "after">) {
  const found: ClusterNetwork[] = [];
  for (;;) {
    const after = found.at(-1);
    const next = await page(store, { ...query, ...(after && { after }) });
    found.push(...next.rows);
    if (!next.more) return found;
  }
}

const byName = (a: ClusterNetwork, b: ClusterNetwork) => (a.name < b.name ? -1 : 1);
const SORTED: Readonly<Record<ListOrder, (a: ClusterNetwork, b: ClusterNetwork) => number>> = {
  "created_at desc": (a, b) => b.createdAt - a.createdAt || byName(a, b),
  created_at: (a, b) => a.createdAt - b.createdAt || byName(a, b),
  name: byName,
  "name desc": (a, b) => byName(b, a),
};

/** list, on one noun for the orders and on each for its filters. */
export function listSuite(open: OpenStore): void {
  test.each(Object.keys(SORTED) as ListOrder[])(
    "by %s, pages add up to the list",
    async (order) => {
      const store = await filled(open);
      const expected = Array.from({ length: COUNT }, (_, i) => made(i)).sort(SORTED[order]);
      for (const limit of [1, 3, COUNT, 100]) {
        expect(await walk(store, { filter: {}, limit, order })).toEqual(expected);
      }
    },
  );

  test("the total counts all pages of the account's own rows; more is exact", async () => {
    const store = await filled(open);
    expect(await page(store, { filter: {}, limit: 4 })).toMatchObject({ total: COUNT, more: true });
    const exact = await page(store, { filter: {}, limit: COUNT });
    expect(exact).toMatchObject({ total: COUNT, more: false });
    const even = await page(store, { filter: { vpcId: "vpc-0" }, limit: 2 });
    expect(even).toMatchObject({ total: 6, more: true });
    expect(await walk(store, { filter: { vpcId: "vpc-0" }, limit: 4 })).toHaveLength(6);
    expect(await page(store, { filter: { name: "none" }, limit: 4 })).toEqual({
      rows: [],
      total: 0,
      more: false,
    });
  });

  test("rows that come and go before a page's start neither shift nor repeat it", async () => {
    const store = await filled(open);
    const first = await page(store, { filter: {}, limit: 4 });
    const whole = await walk(store, { filter: {}, limit: 100 });
    await store.write(cause(), async (tx) => {
      const { clusterNetworks } = tx.account(ACCOUNT);
      await clusterNetworks.insert(rows.network("cn-new", { createdAt: NOW + 100 }));
      for (const { id } of first.rows) await clusterNetworks.delete(id);
    });
    const after = first.rows.at(-1)!;
    const rest = await page(store, { filter: {}, limit: 100, after });
    expect(rest.rows).toEqual(whole.slice(4));
  });

  filterTests(open);
}

function filterTests(open: OpenStore): void {
  test("every noun lists by its own filters", async () => {
    const { store } = await open();
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await rows.plantInterfaces(tx, 2);
    });
    const [clusterNetworkId, subnetId] = [rows.network().id, rows.subnet().id];
    await store.read(async (tx) => {
      const own = tx.account(ACCOUNT);
      const limit = 10;
      const totals = [
        await own.subnets.list({ filter: { clusterNetworkId, name: "name-cns-1" }, limit }),
        await own.reservedIps.list({ filter: { subnetId, address: rows.BASE + 4 }, limit }),
        await own.interfaces.list({ filter: { clusterNetworkId, subnetId }, limit }),
        await own.instances.list({ filter: { clusterNetworkId, status: "starting" }, limit }),
        await own.instances.list({ filter: { profile: "none" }, limit }),
      ].map(({ total }) => total);
      expect(totals).toEqual([1, 1, 2, 1, 0]);
    });
  });
}
