// Holds: rows with a time, how they ended, and the rails that they keep for those to come.
import { HOLD_END_KEPT_MS } from "@railyard/controller/domain/hold";
import type { ClusterNetworkId, HoldId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, OTHER, NOW, cause } = rows;
const SOON = NOW + 60_000;
const NETWORK = rows.network().id;

async function withHolds(open: OpenStore, ...over: Partial<ReturnType<typeof rows.hold>>[]) {
  const box = await open();
  await box.store.write(cause(), async (tx) => {
    await rows.plant(tx);
    const { holds } = tx.account(ACCOUNT);
    for (const [i, change] of over.entries()) await holds.insert(rows.hold(`hold-${i}`, change));
  });
  return box;
}

/** Rows, times, ends, rails. */
export function holdSuite(open: OpenStore): void {
  test("a hold comes back as it was inserted, to its own account", async () => {
    const { reopen } = await withHolds(open, {}, { rails: undefined });
    const { store } = { store: await reopen() };
    await store.read(async (tx) => {
      const { holds } = tx.account(ACCOUNT);
      expect(await holds.get("hold-0" as HoldId)).toEqual(rows.hold("hold-0"));
      expect((await holds.get("hold-1" as HoldId))?.rails).toBeUndefined();
      expect(await tx.account(OTHER).holds.get("hold-0" as HoldId)).toBeUndefined();
    });
  });

  test("a name is taken once in an account", async () => {
    const { store } = await withHolds(open, { name: "one" });
    const twice = store.write(cause(), (tx) =>
      tx.account(ACCOUNT).holds.insert(rows.hold("hold-9", { name: "one" })),
    );
    await expect(twice).rejects.toMatchObject({ parts: { metadata: { unique: "hold-name" } } });
    await store.write(cause(), (tx) =>
      tx.account(OTHER).holds.insert(rows.hold("hold-9", { name: "one", account: OTHER })),
    );
  });

  timeTests(open);
  railTests(open);
}

function timeTests(open: OpenStore): void {
  test("those whose time is over are not among the living, and in no network", async () => {
    const changes = [{ expiresAt: NOW }, { createdAt: NOW - 1 }, { createdAt: NOW + 1 }];
    const { store } = await withHolds(open, ...changes);
    await store.read(async (tx) => {
      const { holds } = tx.account(ACCOUNT);
      const ids = (found: readonly { readonly id: string }[]) => found.map(({ id }) => id);
      const first = await holds.living(NOW, { limit: 1 });
      expect([ids(first.rows), first.total, first.more]).toEqual([["hold-2"], 2, true]);
      const next = await holds.living(NOW, { limit: 1, after: first.rows[0]! });
      expect([ids(next.rows), next.total, next.more]).toEqual([["hold-1"], 2, false]);
      expect(ids(await holds.inNetwork(NETWORK, NOW))).toEqual(["hold-1", "hold-2"]);
      expect(ids(await holds.inNetwork(NETWORK, SOON))).toEqual([]);
      expect(await holds.inNetwork("cn-2" as ClusterNetworkId, NOW)).toEqual([]);
      expect(ids(await holds.over(NOW, 10))).toEqual(["hold-0"]);
      expect(ids(await tx.everyone.holds.over(SOON, 2))).toEqual(["hold-0", "hold-1"]);
      expect((await tx.account(OTHER).holds.living(NOW, { limit: 9 })).total).toBe(0);
    });
  });

  test("how a hold ended is remembered for its account, for a while", async () => {
    const { store } = await withHolds(open, {}, {});
    await store.write(cause(), async (tx) => {
      const { holds } = tx.account(ACCOUNT);
      await holds.end(rows.hold("hold-0"), "expired", NOW);
      await holds.end(rows.hold("hold-1"), "consumed", NOW + 1);
    });
    const endsAt = (account: typeof ACCOUNT) =>
      store.read(async (tx) => {
        const { holds } = tx.account(account);
        return [await holds.endOf("hold-0" as HoldId), await holds.endOf("hold-1" as HoldId)];
      });
    expect(await endsAt(ACCOUNT)).toEqual(["expired", "consumed"]);
    expect(await endsAt(OTHER)).toEqual([undefined, undefined]);
    expect(await store.read((tx) => tx.everyone.holds.any({}))).toBe(false);
    await store.write(cause(), (tx) => tx.expire(NOW + HOLD_END_KEPT_MS + 1));
    expect(await endsAt(ACCOUNT)).toEqual([undefined, "consumed"]);
  });

  test("a hold is ended once", async () => {
    const { store } = await withHolds(open, {});
    const end = () =>
      store.write(cause(), (tx) =>
        tx.account(ACCOUNT).holds.end(rows.hold("hold-0"), "expired", 1),
      );
    const ends = await Promise.allSettled([end(), end()]);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });
}

function railTests(open: OpenStore): void {
  test("a hold keeps its rails for those to come, behind what instances fixed", async () => {
    const { store } = await withHolds(open, { profile: "half" }, { profile: "gx3d" });
    const railsOf = (profile: string) => store.read((tx) => tx.railSets.of(NETWORK, profile));
    expect(await railsOf("half")).toEqual([0, 2]);
    expect(await railsOf("other")).toBeUndefined();
    const set = { instanceId: rows.instance().id, clusterNetworkId: NETWORK, profile: "gx3d" };
    await store.write(cause(), (tx) => tx.railSets.put({ ...set, rails: [4, 6] }));
    expect(await railsOf("gx3d")).toEqual([4, 6]);
    await store.write(cause(), async (tx) => {
      for (const id of ["hold-0", "hold-1"]) await tx.everyone.holds.delete(id as HoldId);
    });
    expect([await railsOf("half"), await railsOf("gx3d")]).toEqual([undefined, [4, 6]]);
  });
}
