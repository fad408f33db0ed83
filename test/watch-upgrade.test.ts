// A database of the first schema, opened by this program: its objects were never encoded, and
// watchers learn all the same what becomes of them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Encode } from "@railyard/controller/store/contract";
import { SCHEMA_1 } from "@railyard/controller/store/schema";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { ManualClock } from "@railyard/lib/clock";
import type { AccountId, ClusterNetworkId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import Database from "better-sqlite3";
import { afterEach, expect, test } from "vitest";

const ACCOUNT = "acc-1" as AccountId;
/** More than are encoded at a time. */
const NETWORKS = 1_203;

const dir = mkdtempSync(join(tmpdir(), "railyard-upgrade-"));
const path = join(dir, "railyard.db");
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** As a controller of the first schema left it. */
function writeOldDatabase(): void {
  const db = new Database(path);
  db.exec("CREATE TABLE schema_version (version INTEGER NOT NULL)");
  db.exec("INSERT INTO schema_version (version) VALUES (1)");
  for (const statement of SCHEMA_1) db.exec(statement);
  db.exec(`INSERT INTO physical_clusters VALUES ('pc-1', 'p', 1, 9, '{}')`);
  db.exec(`INSERT INTO account_revisions VALUES ('${ACCOUNT}', 7)`);
  const insert = db.prepare(
    `INSERT INTO cluster_networks (id, account, created_at, name, body, vpc_id, resource_group_id,
      physical_cluster_id) VALUES (?, ?, 1, ?, '{}', 'v', '', 'pc-1')`,
  );
  db.transaction(() => {
    for (let i = 0; i < NETWORKS; i++) insert.run(`cn-${i}`, ACCOUNT, `n${i}`);
  })();
  db.close();
}

/** A network's name stands for its bytes. */
const names: Encode = async (tx, entries) => {
  const found: (Uint8Array | undefined)[] = [];
  for (const { id } of entries) {
    const row = await tx.everyone.clusterNetworks.get(id as ClusterNetworkId);
    found.push(row && Buffer.from(row.name));
  }
  return found;
};

test("objects from before objects were kept are told, and their end is", async () => {
  writeOldDatabase();
  const onFatal = (err: unknown) => {
    throw err;
  };
  const options = { path, clock: new ManualClock(), log: silentLog(), onFatal, encode: names };
  let store = await openSqlite(options);
  const log = () => store.read((tx) => tx.logs.accountChangesAfter(ACCOUNT, 0n, { rows: 100 }));
  const told = (await log()).flatMap(({ entries }) => entries);
  expect(told).toHaveLength(NETWORKS);
  expect(told.every(({ op, object }) => op === "updated" && object !== undefined)).toBe(true);
  expect((await log()).map((row) => row.accountRevision)).toEqual([8n, 9n, 10n]);
  await store.write({ by: "t", method: "Test", at: 2 }, (tx) =>
    tx.account(ACCOUNT).clusterNetworks.delete("cn-5" as ClusterNetworkId),
  );
  const [last] = (await log()).at(-1)?.entries ?? [];
  expect(last).toMatchObject({ op: "deleted", id: "cn-5" });
  expect(Buffer.from(last?.object ?? []).toString()).toBe("n5");
  await store.close();
  store = await openSqlite(options);
  expect(await log()).toHaveLength(4);
  await store.close();
});
