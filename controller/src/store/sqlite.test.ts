// What only the embedded engine promises: durability settings, one owner of the file, a full disk
// that leaves the store readable.
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import Database from "better-sqlite3";
import { afterEach, expect, test } from "vitest";
import type { Cause } from "./contract.js";
import { openSqlite, type SqliteOptions, type SqliteStore } from "./sqlite.js";
import { CHANGES_KEPT, DROPPED_AT_ONCE } from "./tables/log.js";

const CAUSE: Cause = { by: "system:test", method: "Test", at: 1 };
const SYNCHRONOUS_NORMAL = 1;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "railyard-store-"));
  folders.push(folder);
  return join(folder, "railyard.db");
}

function open(path: string, over: Partial<SqliteOptions> = {}): Promise<SqliteStore> {
  return openSqlite({
    path,
    clock: new ManualClock(),
    log: silentLog(),
    onFatal: (err) => {
      throw err;
    },
    ...over,
  });
}

function set(store: SqliteStore, key: string, value: string): Promise<void> {
  return store.write(CAUSE, (tx) => tx.meta.set(key, value));
}

test("the library alone would fall back to NORMAL, the store does not open so", async () => {
  const path = newPath();
  await (await open(path)).close();
  const bare = new Database(path);
  expect(bare.pragma("journal_mode", { simple: true })).toBe("wal");
  expect(bare.pragma("synchronous", { simple: true })).toBe(SYNCHRONOUS_NORMAL);
  bare.close();
  const again = await open(path);
  await set(again, "k", "v");
  await again.close();
});

test("a second opener is refused while the first has the file", async () => {
  const path = newPath();
  const first = await open(path);
  await expect(open(path)).rejects.toMatchObject({
    code: "precondition",
    message: expect.stringContaining("open in another process"),
  });
  await set(first, "k", "v");
  await first.close();
  const next = await open(path);
  expect(await next.read((tx) => tx.meta.get("k"))).toBe("v");
  await next.close();
});

test("only its owner can read the file", async () => {
  const path = newPath();
  const store = await open(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  await store.close();
});

test("64 concurrent writes share far fewer commits", async () => {
  const store = await open(newPath());
  await Promise.all(Array.from({ length: 64 }, (_, i) => set(store, `k${i}`, "v")));
  expect(store.stats()).toMatchObject({ writes: 64 });
  expect(store.stats().commits).toBeLessThanOrEqual(4);
  expect(await store.revision()).toBe(64n);
  await store.close();
});

test("a database of a newer program is refused", async () => {
  const path = newPath();
  await (await open(path)).close();
  const bare = new Database(path);
  bare.exec("UPDATE schema_version SET version = 999");
  bare.close();
  await expect(open(path)).rejects.toMatchObject({
    code: "precondition",
    message: expect.stringContaining("schema version 999"),
  });
});

test("a full disk makes the store read-only, and reads go on", async () => {
  const path = newPath();
  const fresh = await open(path);
  await set(fresh, "before", "stays");
  await fresh.close();
  const pages = Math.ceil(statSync(path).size / 4096);
  const store = await open(path, { pagesMax: pages + 4 });
  const refused = { code: "unavailable", reason: "STORE_READ_ONLY" };
  await expect(set(store, "large", "x".repeat(100_000))).rejects.toMatchObject(refused);
  await expect(set(store, "small", "x")).rejects.toMatchObject(refused);
  expect(await store.read((tx) => tx.meta.get("before"))).toBe("stays");
  expect(await store.read((tx) => tx.meta.get("large"))).toBeUndefined();
  await store.close();
});

test("damage met by a read tells onFatal once, and everything after it is refused", async () => {
  const path = newPath();
  const fresh = await open(path);
  for (let i = 0; i < 200; i++) await set(fresh, `k${i}`, "x".repeat(2_000));
  await fresh.close();
  damageSecondHalf(path);
  const told: unknown[] = [];
  const store = await open(path, { onFatal: (err) => told.push(err) });
  const readAll = store.read(async (tx) => {
    for (let i = 0; i < 200; i++) await tx.meta.get(`k${i}`);
  });
  await expect(readAll).rejects.toMatchObject({ code: "unavailable" });
  await expect(set(store, "k", "v")).rejects.toMatchObject({ code: "unavailable" });
  await expect(store.revision()).rejects.toMatchObject({ code: "unavailable" });
  expect(told).toHaveLength(1);
  await store.close();
});

// The first half holds the roots of all tables, the second only rows.
function damageSecondHalf(path: string): void {
  const page = 4096;
  const pages = statSync(path).size / page;
  const file = openSync(path, "r+");
  for (let at = Math.ceil(pages / 2); at < pages; at++) {
    writeSync(file, Buffer.alloc(page, 0xff), 0, page, at * page);
  }
  closeSync(file);
}

test("of a long change log the newest rows are kept, the rest goes a part at a time", async () => {
  const path = newPath();
  await (await open(path)).close();
  const before = new Database(path);
  const last = CHANGES_KEPT + DROPPED_AT_ONCE + 5;
  before.exec(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${last})
     INSERT INTO changes (revision, at, entries) SELECT i, 0, '[]' FROM n;
     UPDATE revision SET value = ${last}`,
  );
  before.close();
  const store = await open(path);
  const gone = async () => (await store.write(CAUSE, (tx) => tx.expire(0))).changes;
  // The first of these writes is a revision, too, and so is each that drops some.
  expect([await gone(), await gone(), await gone()]).toEqual([DROPPED_AT_ONCE, 7, 1]);
  const [oldest] = await store.read((tx) => tx.logs.changesAfter(0n, 1));
  expect(oldest?.revision).toBe(BigInt(last + 3 - CHANGES_KEPT + 1));
  await store.close();
});

test("a path that cannot be opened is named in the refusal", async () => {
  await expect(open(join(newPath(), "missing", "x.db"))).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("missing/x.db cannot be opened"),
  });
});
