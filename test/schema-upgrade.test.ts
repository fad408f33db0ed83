// A populated database of each earlier layout of the tables, opened by this program: every row is
// still there as it was, and what refers to what is still kept.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WriteTx } from "@railyard/controller/store/contract";
import { STEPS } from "@railyard/controller/store/migrations";
import { SCHEMA_ROWIDS } from "@railyard/controller/store/schema-rowids";
import { openSqlite, type SqliteStore } from "@railyard/controller/store/sqlite";
import { ManualClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as rows from "./conformance/store-rows.js";
import { GONE, tablesOf, writeOlder } from "./older-database.js";

/** The schema before the tables with most rows were laid out anew. */
const BEFORE = STEPS.indexOf(SCHEMA_ROWIDS);
const LAID_OUT_ANEW = ["reserved_ips", "interfaces", "attachments"];
const INTERFACES = 40;

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-schema-"));
  path = join(dir, "railyard.db");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

type Contents = Readonly<Record<string, readonly unknown[]>>;

function open(file: string): Promise<SqliteStore> {
  const onFatal = (err: unknown) => {
    throw err;
  };
  return openSqlite({ path: file, clock: new ManualClock(), log: silentLog(), onFatal });
}

/** Something in every table that is copied, and in those around it. */
async function populate(tx: WriteTx): Promise<void> {
  await rows.plant(tx);
  await rows.plantInterfaces(tx, INTERFACES);
  const own = tx.account(rows.ACCOUNT);
  for (let i = 2; i <= INTERFACES; i++) {
    const host = rows.instance(`ins-${i}`);
    await own.instances.insert(host);
    const interfaceId = `cni-${i}` as ReturnType<typeof rows.networkInterface>["id"];
    await own.interfaces.update(
      rows.networkInterface(interfaceId, {
        mac: `02:00:00:00:00:${i.toString(16).padStart(2, "0")}`,
        primaryIpId: `cnip-${i}` as ReturnType<typeof rows.reservedIp>["id"],
        targetId: `cna-${i}` as ReturnType<typeof rows.attachment>["id"],
      }),
    );
    const on = { instanceId: host.id, interfaceId, position: i % 8 };
    await own.attachments.insert(rows.attachment(`cna-${i}`, on));
  }
}

/** As the program before this layout left it, with the same rows. */
async function writeOldDatabase(): Promise<Contents> {
  const newer = join(dir, "newer.db");
  const store = await open(newer);
  await store.write(rows.cause("Test", rows.ACCOUNT), populate);
  await store.close();
  writeOlder(path, newer, BEFORE);
  return contents(path);
}

function contents(file: string): Contents {
  const db = new Database(file);
  const found = tablesOf(db).map((table) => {
    return [table, db.prepare(`SELECT * FROM ${table}`).all().sort(byText)] as const;
  });
  db.close();
  return Object.fromEntries(found);
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/** What the database keeps for a table, whatever its rows' layout. */
function rulesOf(file: string, table: string) {
  const db = new Database(file);
  const indexes = db.prepare(
    `SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL
     ORDER BY name`,
  );
  const texts = indexes.pluck().all(table) as string[];
  const found = {
    columns: db.pragma(`table_info(${table})`),
    references: db.pragma(`foreign_key_list(${table})`),
    indexes: texts.map((text) => text.replaceAll(/\s+/g, " ")),
  };
  db.close();
  return found;
}

/** A column that came later. */
function withPrefix(subnet: unknown) {
  const { prefix } = rows.subnet().cidr;
  return { ...(subnet as object), prefix };
}

/** Another: what the rows of each account's log take. */
function withBytes({ account_changes: changes = [], account_revisions: logs = [] }: Contents) {
  type Row = Readonly<Record<"account" | "entries" | "objects", { readonly length: number }>>;
  return (logs as readonly Row[]).map((log) => {
    const own = (changes as readonly Row[]).filter(({ account }) => account === log.account);
    const bytes = own.reduce((sum, row) => sum + row.entries.length + row.objects.length, 0);
    return { ...log, bytes };
  });
}

/** What nodes have in a row of their own since. */
function withoutGenerations({ nodes = [] }: Contents) {
  type Row = Readonly<Record<string, unknown>>;
  const parted = (nodes as readonly Row[]).map(({ generation, accepted_generation, ...rest }) => {
    return { rest, own: { node_id: rest.id, generation, accepted_generation, since: 0 } };
  });
  return { nodes: parted.map(({ rest }) => rest), node_generations: parted.map(({ own }) => own) };
}

test("a database in the order of ids is laid out anew, with every row and every rule", async () => {
  const before = await writeOldDatabase();
  const rules = LAID_OUT_ANEW.map((table) => rulesOf(path, table));
  expect(before.attachments).toHaveLength(INTERFACES);
  const store = await open(path);
  const own = await store.read((tx) => tx.account(rows.ACCOUNT).interfaces.get("cni-7" as never));
  expect(own).toMatchObject({ primaryIpId: "cnip-7", targetId: "cna-7" });
  const taken = rows.reservedIp("cnip-new", { name: "name-cnip-7", address: rows.BASE + 200 });
  await expect(
    store.write(rows.cause(), (tx) => tx.account(rows.ACCOUNT).reservedIps.insert(taken)),
  ).rejects.toMatchObject({ message: "reserved-ip-name is taken" });
  await expect(
    store.write(rows.cause(), (tx) =>
      tx.account(rows.ACCOUNT).reservedIps.delete(rows.reservedIp().id),
    ),
  ).rejects.toMatchObject({ code: "bug", message: expect.stringContaining("FOREIGN KEY") });
  await store.close();
  const added = { subnets: before.subnets?.map(withPrefix), account_revisions: withBytes(before) };
  expect(added.account_revisions[0]?.bytes).toBeGreaterThan(0);
  const kept = Object.entries(before).filter(([table]) => !GONE.includes(table));
  expect(contents(path)).toEqual({
    ...{ ...Object.fromEntries(kept), ...added, ...withoutGenerations(before) },
    schema_version: [{ version: STEPS.length }],
  });
  expect(LAID_OUT_ANEW.map((table) => rulesOf(path, table))).toEqual(rules);
  const db = new Database(path);
  expect(db.pragma("foreign_key_check")).toEqual([]);
  expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  for (const table of LAID_OUT_ANEW) db.prepare(`SELECT rowid FROM ${table}`).get();
  db.close();
});

test("an upgrade that fails halfway leaves the database as it was", async () => {
  await writeOldDatabase();
  const inTheWay = new Database(path);
  inTheWay.exec("CREATE TABLE new_attachments (id TEXT)");
  inTheWay.close();
  const before = contents(path);
  await expect(open(path)).rejects.toThrow();
  expect(contents(path)).toEqual(before);
  const cleared = new Database(path);
  cleared.exec("DROP TABLE new_attachments");
  cleared.close();
  await (await open(path)).close();
  expect(contents(path).attachments).toEqual(before.attachments);
});
