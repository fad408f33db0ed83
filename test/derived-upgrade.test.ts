// A database from when the provider's reserved IPs were stored: they go with what was kept of them,
// users', free addresses and claims stay, and whoever watched the account must relist, since the
// ids are others now.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STEPS } from "@railyard/controller/store/migrations";
import { SCHEMA_13 } from "@railyard/controller/store/schema-13";
import { openSqlite, type SqliteStore } from "@railyard/controller/store/sqlite";
import { ManualClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import Database from "better-sqlite3";
import { afterEach, expect, test } from "vitest";
import * as rows from "./conformance/store-rows.js";
import { writeOlder } from "./older-database.js";

const dir = mkdtempSync(join(tmpdir(), "railyard-provider-ips-"));
const path = join(dir, "railyard.db");
const newer = join(dir, "newer.db");
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const BYSTANDER = "acc-bystander" as AccountId;

function open(path: string): Promise<SqliteStore> {
  const onFatal = (err: unknown) => {
    throw err;
  };
  return openSqlite({ path, clock: new ManualClock(), log: silentLog(), onFatal });
}

function claimsIn(db: Database.Database) {
  const tables = ["amount_claims", "gpu_claims", "vf_claims"];
  const found = tables.map((table) => db.prepare(`SELECT * FROM ${table}`).all());
  expect(found.map((all) => all.length)).toEqual([1, 1, 1]);
  return found;
}

test("stored provider-owned reserved IPs go, and their accounts' watchers relist", async () => {
  let store = await open(newer);
  await store.write(rows.cause("Test", rows.ACCOUNT), async (tx) => {
    await rows.plant(tx);
    const kept = {
      name: "ibm-default-gateway",
      address: rows.BASE + 1,
      owner: "provider",
    } as const;
    await tx.account(rows.ACCOUNT).reservedIps.insert(rows.reservedIp("cnip-kept", kept));
    const other = rows.network("cn-other", { account: BYSTANDER });
    await tx.account(BYSTANDER).clusterNetworks.insert(other);
  });
  const before = await store.read((tx) =>
    tx.account(rows.ACCOUNT).reservedIps.get("cnip-kept" as never),
  );
  expect(before?.owner).toBe("provider");
  await store.close();
  writeOlder(path, newer, STEPS.indexOf(SCHEMA_13));
  const db = new Database(path);
  // Of tables that are gone nothing is there to refer to.
  db.pragma("foreign_keys = OFF");
  db.exec("INSERT INTO address_runs VALUES ('cns-1', 7, 9)");
  db.exec("INSERT INTO amount_claims VALUES ('ins-1', 'node-1', 8, 64, 100)");
  db.exec("INSERT INTO gpu_claims VALUES ('node-1', 'gpu-0', 'ins-1', 0)");
  db.exec("INSERT INTO vf_claims VALUES ('node-1', 'nic-0', 3, 'ins-1', 'cna-1')");
  const claims = claimsIn(db);
  db.exec("INSERT INTO encoded_objects VALUES ('cnip-kept', 'reservedIp', x'00')");
  const users = db.prepare("SELECT id FROM reserved_ips WHERE id <> 'cnip-kept' ORDER BY id");
  const wanted = users.pluck().all();
  expect(wanted).not.toEqual([]);
  db.close();

  store = await open(path);
  const logs = await store.read(async (tx) => [
    await tx.logs.accountLog(rows.ACCOUNT),
    await tx.logs.accountLog(BYSTANDER),
  ]);
  expect(logs).toEqual([
    { newest: 2n, droppedTo: 2n },
    { newest: 1n, droppedTo: 0n },
  ]);
  await store.close();
  const after = new Database(path);
  expect(after.prepare("SELECT id FROM reserved_ips ORDER BY id").pluck().all()).toEqual(wanted);
  expect(after.prepare("SELECT * FROM encoded_objects WHERE id = 'cnip-kept'").all()).toEqual([]);
  const run = { subnet_id: "cns-1", first: 7, last: 9 };
  expect(after.prepare("SELECT * FROM address_runs").all()).toEqual([run]);
  expect(claimsIn(after)).toEqual(claims);
  expect(after.pragma("foreign_key_check")).toEqual([]);
  const bytes = after.prepare("SELECT bytes FROM account_revisions WHERE account = ?").pluck();
  expect(bytes.get(rows.ACCOUNT)).toBe(0);
  after.close();
});
