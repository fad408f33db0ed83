// Bounded pools: quotas, isolation ids, resting MACs, request records, and what expires.
import { DEFAULT_QUOTAS } from "@railyard/controller/domain/quota";
import type { WriteTx } from "@railyard/controller/store/contract";
import type { AccountId, ClusterNetworkId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, OTHER, NOW, cause } = rows;
const NETWORK = "cn-1" as ClusterNetworkId;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Everything that runs out or comes back. */
export function poolSuite(open: OpenStore): void {
  quotaTests(open);
  networkQuotaTests(open);
  isolationTests(open);
  restTests(open);
}

function quotaTests(open: OpenStore): void {
  test("a quota never passes its limit, however many take at once", async () => {
    const { store } = await open();
    const limit = DEFAULT_QUOTAS["cluster-networks"];
    const takes = await Promise.allSettled(
      Array.from({ length: 4 * limit }, () =>
        store.write(cause(), (tx) => tx.account(ACCOUNT).quotas.take("cluster-networks", 1)),
      ),
    );
    expect(takes.filter((take) => take.status === "fulfilled")).toHaveLength(limit);
    expect(takes.at(-1)).toMatchObject({
      reason: {
        code: "exhausted",
        reason: "QUOTA_EXCEEDED",
        parts: { quota: { subject: "cluster-networks", limit, used: limit } },
      },
    });
    await store.write(cause(), async (tx) => {
      await tx.account(OTHER).quotas.take("cluster-networks", 1);
      await tx.account(ACCOUNT).quotas.giveBack("cluster-networks", 2);
      await tx.account(ACCOUNT).quotas.take("cluster-networks", 2);
    });
  });

  test("a limit that was set takes the default's place, for its account only", async () => {
    const { store } = await open();
    const mine = (tx: WriteTx) => tx.account(ACCOUNT).quotas;
    await store.write(cause(), async (tx) => {
      await mine(tx).take("subnets-per-network", 3, NETWORK);
      await mine(tx).take("subnets-per-network", 2, "cn-2" as ClusterNetworkId);
      await mine(tx).setLimit("subnets-per-network", 2);
    });
    const revision = await store.revision();
    await store.write(cause(), (tx) => mine(tx).setLimit("subnets-per-network", 2));
    expect(await store.revision()).toBe(revision);
    const counts = (account: AccountId) => store.read((tx) => tx.account(account).quotas.counts());
    expect((await counts(ACCOUNT))[1]).toEqual({
      subject: "subnets-per-network",
      limit: 2,
      used: 3,
    });
    const defaults = (await counts(OTHER)).map(({ subject, limit }) => [subject, limit]);
    expect(Object.fromEntries(defaults)).toEqual(DEFAULT_QUOTAS);
    const more = store.write(cause(), (tx) => mine(tx).take("subnets-per-network", 1, NETWORK));
    await expect(more).rejects.toMatchObject({ parts: { quota: { used: 3, limit: 2 } } });
  });
}

function networkQuotaTests(open: OpenStore): void {
  test("a quota within a network counts per network, and one too large is refused", async () => {
    const { store } = await open();
    const limit = DEFAULT_QUOTAS["subnets-per-network"];
    await store.write(cause(), async (tx) => {
      const { quotas } = tx.account(ACCOUNT);
      await quotas.take("subnets-per-network", limit, NETWORK);
      await quotas.take("subnets-per-network", limit, "cn-2" as ClusterNetworkId);
    });
    const tooMany = store.write(cause(), (tx) =>
      tx.account(OTHER).quotas.take("subnets-per-network", limit + 1, NETWORK),
    );
    await expect(tooMany).rejects.toMatchObject({ parts: { quota: { used: 0, limit } } });
  });

  test("giving back more than was taken is a bug", async () => {
    const { store } = await open();
    const wrong = store.write(cause(), (tx) => tx.account(ACCOUNT).quotas.giveBack("instances", 1));
    await expect(wrong).rejects.toMatchObject({ code: "bug" });
  });
}

function isolationTests(open: OpenStore): void {
  test("isolation ids go out lowest first, end, rest, and come back after their rest", async () => {
    const { store } = await open();
    const { id } = rows.cluster();
    const taken = await store.write(cause(), async (tx) => {
      await tx.physicalClusters.insert(rows.cluster());
      const out: (number | undefined)[] = [];
      for (let i = 0; i < 5; i++) out.push(await tx.isolation.take(id, NETWORK));
      return out;
    });
    expect(taken).toEqual([100, 101, 102, 103, undefined]);
    await store.write(cause(), (tx) => tx.isolation.rest(id, 102, NOW + 10));
    expect(await store.write(cause(), (tx) => tx.isolation.take(id, NETWORK))).toBeUndefined();
    expect(await store.read((tx) => tx.isolation.free(id))).toBe(0);
    await store.write(cause(), (tx) => tx.expire(NOW + 9));
    expect(await store.read((tx) => tx.isolation.free(id))).toBe(0);
    await store.write(cause(), (tx) => tx.expire(NOW + 10));
    expect(await store.read((tx) => tx.isolation.free(id))).toBe(1);
    expect(await store.write(cause(), (tx) => tx.isolation.take(id, NETWORK))).toBe(102);
  });

  test("a range that moves keeps the ids in use and offers only ids inside it", async () => {
    const { store } = await open();
    const { id } = rows.cluster();
    const taken = await store.write(cause(), async (tx) => {
      await tx.physicalClusters.insert(rows.cluster());
      await tx.isolation.take(id, NETWORK);
      await tx.isolation.take(id, NETWORK);
      await tx.physicalClusters.update(rows.cluster("pc-1", 50, 51));
      const lower = [await tx.isolation.take(id, NETWORK), await tx.isolation.take(id, NETWORK)];
      lower.push(await tx.isolation.take(id, NETWORK));
      await tx.physicalClusters.update(rows.cluster("pc-1", 101, 102));
      return [...lower, await tx.isolation.take(id, NETWORK), await tx.isolation.free(id)];
    });
    expect(taken).toEqual([50, 51, undefined, 102, 0]);
  });

  test("resting an id that is not in use is a bug", async () => {
    const { store } = await open();
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    const wrong = store.write(cause(), (tx) => tx.isolation.rest(rows.cluster().id, 100, 1));
    await expect(wrong).rejects.toMatchObject({ code: "bug" });
  });
}

function restTests(open: OpenStore): void {
  test("a MAC rests in its network until its time", async () => {
    const { store } = await open();
    const mac = "02:00:00:00:00:01";
    await store.write(cause(), (tx) => tx.account(ACCOUNT).macs.rest(NETWORK, mac, NOW + 5));
    const resting = async (network: string) => {
      const of = [network as ClusterNetworkId];
      const macs = [mac, "02:00:00:00:00:02", "02:00:00:00:00:03"];
      const taken = await store.write(cause(), (tx) => tx.account(ACCOUNT).macs.taken(of, macs));
      return taken.size === 1 && taken.has(mac);
    };
    expect([await resting("cn-1"), await resting("cn-2")]).toEqual([true, false]);
    const expired = await store.write(cause(), (tx) => tx.expire(NOW + 5));
    expect(expired).toEqual({ requests: 0, quarantines: 1, changes: 0 });
    expect(await resting("cn-1")).toBe(false);
  });

  test("a request record keeps its bytes for a day, by scope, method and id", async () => {
    const { store, reopen } = await open();
    const answer = Uint8Array.from({ length: 256 }, (_, i) => i);
    const record = { scope: ACCOUNT, method: "M", requestId: "r", hash: "h", answer, at: NOW };
    await store.write(cause(), (tx) => tx.requests.insert(record));
    const again = await reopen();
    const get = (scope: string) => again.read((tx) => tx.requests.get(scope, "M", "r"));
    expect(await get(ACCOUNT)).toEqual(record);
    expect(await get(OTHER)).toBeUndefined();
    await again.write(cause(), (tx) => tx.expire(NOW + DAY_MS));
    expect(await get(ACCOUNT)).toBeDefined();
    await again.write(cause(), (tx) => tx.expire(NOW + DAY_MS + 1));
    expect(await get(ACCOUNT)).toBeUndefined();
  });
}
