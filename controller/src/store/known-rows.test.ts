// What a transaction read or wrote by id it does not read again, and never sees otherwise than the
// database has it.
import { ManualClock } from "@railyard/lib/clock";
import type { AccountId, ClusterNetworkId, PhysicalClusterId, SubnetId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { expect, test } from "vitest";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Subnet } from "../domain/subnet.js";
import { KnownRows } from "./known-rows.js";
import type { Sql } from "./sql.js";
import { openSqlite } from "./sqlite.js";
import { openTransaction } from "./transaction.js";
import { Work } from "./work.js";

const ACCOUNT = "acc" as AccountId;

/** A read transaction over a database with one subnet of ACCOUNT, and how often it was asked. */
function counted() {
  const asked: string[] = [];
  const row = {
    ...{ id: "cns-1", account: ACCOUNT, name: "s", cluster_network_id: "cn-1" },
    ...{ created_at: 1n, available_count: 4n, body: "{}" },
  };
  const sql: Sql = {
    get: async () => undefined,
    all: async (text) => {
      asked.push(text);
      return [row];
    },
    run: async () => 1,
    runEach: async () => 1,
  };
  const work = new Work(sql, true);
  return { asked, work, tx: openTransaction(work) };
}

test("a row is read once by id, is missing for others, and refused after the end", async () => {
  const { asked, work, tx } = counted();
  const id = "cns-1" as SubnetId;
  const first = await tx.account(ACCOUNT).subnets.get(id);
  expect(await tx.account(ACCOUNT).subnets.get(id)).toBe(first);
  expect(await tx.everyone.subnets.get(id)).toBe(first);
  expect(await tx.account("other" as AccountId).subnets.get(id)).toBeUndefined();
  expect(asked).toHaveLength(1);
  work.end();
  await expect(tx.everyone.subnets.get(id)).rejects.toMatchObject({ code: "bug" });
});

test("what is known is bounded", () => {
  const known = new KnownRows();
  for (let i = 0; i < 9_000; i++) known.keep("subnet", `${i}`, { row: {}, columns: {} });
  expect(known.get("subnet", "0")).toBeUndefined();
  expect(known.get("subnet", "8999")).toBeDefined();
});

test("a count that others keep is the newest one, also after the row was written", async () => {
  const store = await openSqlite({
    ...{ path: ":memory:", clock: new ManualClock(), log: silentLog(), onFatal: () => undefined },
  });
  const head = { account: ACCOUNT, createdAt: 1, etag: "e", lifecycleState: "stable" as const };
  const id = "cns-1" as SubnetId;
  const clusterNetworkId = "cn-1" as ClusterNetworkId;
  const cidr = { first: 256, prefix: 29 };
  await store.write({ by: "system:test", method: "Test", at: 1 }, async (tx) => {
    const cluster = "pc-1" as PhysicalClusterId;
    const isolation = { kind: "vni" as const, min: 1, max: 9 };
    await tx.physicalClusters.insert({ id: cluster, name: "c", isolation } as never);
    const mine = tx.account(ACCOUNT);
    const network = { ...head, id: clusterNetworkId, name: "n", physicalClusterId: cluster };
    await mine.clusterNetworks.insert({
      ...{ ...network, vpcId: "vpc", resourceGroupId: "rg", lifecycleReasons: [] },
    } as unknown as ClusterNetwork);
    const subnet = { ...head, id, clusterNetworkId, name: "s", cidr, availableCount: 3 };
    await mine.subnets.insert(subnet as unknown as Subnet);
    const before = (await mine.subnets.get(id)) as Subnet;
    expect(await mine.addresses.takeLowest(id, 2)).toEqual([260, 261]);
    expect((await mine.subnets.get(id))?.availableCount).toBe(1);
    await mine.subnets.update({ ...before, name: "t" });
    expect(await mine.subnets.get(id)).toMatchObject({ name: "t", availableCount: 1 });
  });
  await store.close();
});
