// A subnet of eight million addresses with a million leases in it: whatever is taken and given back
// there costs a few index seeks, and no address is given twice. Counted, never timed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sql, SqlRow, SqlValue } from "@railyard/controller/store/sql";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { AddressRuns } from "@railyard/controller/store/tables/address";
import { Work } from "@railyard/controller/store/work";
import { ManualClock } from "@railyard/lib/clock";
import type { SubnetId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

const SUBNET = "sub-large" as SubnetId;
const BLOCK = 10 * 2 ** 24;
const FIRST = BLOCK + 4;
const LAST = FIRST + 2 ** 23 - 6;
const LEASES = 1_000_000;
const FREE = LAST - FIRST + 1 - LEASES;
/** Most statements that one call may need, whatever the subnet holds. */
const STATEMENTS_MAX = 10;

let dir: string;
let db: Database.Database;
/** Every statement since the last `asked.splice(0)`. */
const asked: { text: string; params: readonly SqlValue[] }[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "railyard-addresses-"));
  const path = join(dir, "yard.db");
  const onFatal = (err: unknown) => {
    throw err;
  };
  await (await openSqlite({ path, clock: new ManualClock(), log: silentLog(), onFatal })).close();
  db = new Database(path).defaultSafeIntegers(true);
  fill();
});
afterAll(() => {
  db.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Every second of the first two million addresses is leased: a million runs, and the rest. */
function fill(): void {
  db.pragma("foreign_keys = OFF");
  const columns = db.prepare("SELECT name, type FROM pragma_table_info('subnets')").all();
  const given: Record<string, SqlValue> = {
    id: SUBNET,
    available_count: BigInt(FREE),
    first_address: BLOCK,
    prefix: 9,
  };
  const names = (columns as { name: string }[]).map(({ name }) => name);
  const types = (columns as { type: string }[]).map(({ type }) => type);
  const values = names.map((name, i) => given[name] ?? (types[i] === "INTEGER" ? 0n : "{}"));
  db.prepare(`INSERT INTO subnets VALUES (${names.map(() => "?").join()})`).run(...values);
  db.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO address_runs SELECT ?, ? + 2 * i, ? + 2 * i FROM n`,
  ).run(LEASES - 1, SUBNET, FIRST, FIRST);
  const rest = FIRST + 2 * LEASES;
  db.prepare("INSERT INTO address_runs VALUES (?, ?, ?)").run(SUBNET, rest, LAST);
}

function isFreeAtFirst(address: number): boolean {
  return address >= FIRST + 2 * LEASES || (address - FIRST) % 2 === 0;
}

/** The tables over this database, noting what they ask of it. */
function runs(): AddressRuns {
  const bound = (text: string, params: readonly SqlValue[]) => {
    asked.push({ text, params });
    return db.prepare(text);
  };
  const sql: Sql = {
    get: async (text, params = []) => bound(text, params).get(...params) as SqlRow | undefined,
    all: async (text, params = []) => bound(text, params).all(...params) as SqlRow[],
    run: async (text, params = []) => bound(text, params).run(...params).changes,
    runEach: () => Promise.reject(new Error("addresses are moved one statement at a time")),
  };
  return new AddressRuns(new Work(sql, true));
}

/** Steps of the query plan that are no seek in an index. */
function slowSteps({ text, params }: (typeof asked)[number]): string[] {
  const plan = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...params) as { detail: string }[];
  return plan.map(({ detail }) => detail).filter((detail) => !/^SEARCH .*(INDEX|KEY)/.test(detail));
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ do: "take" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("ask" as const), at: place() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("give" as const), at: place() }) },
);

function place() {
  return fc.integer({ min: FIRST, max: LAST });
}

test("among a million leases a change is a few seeks, and no address is given twice", async () => {
  const addresses = runs();
  /** What the calls changed: true = leased by now. */
  const leased = new Map<number, boolean>();
  const isFree = (at: number) => !(leased.get(at) ?? !isFreeAtFirst(at));
  const once = async (one: { do: string; at?: number }) => {
    const at = one.at ?? 0;
    if (one.do === "give") {
      if (isFree(at)) return;
      await addresses.giveBack(SUBNET, at);
      leased.set(at, false);
      return;
    }
    const got = await addresses.take(SUBNET, one.at);
    if (one.do === "ask") expect(got).toBe(isFree(at) ? at : undefined);
    if (got === undefined) return;
    expect(isFree(got)).toBe(true);
    leased.set(got, true);
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      for (const one of steps) {
        asked.splice(0);
        await once(one);
        expect(asked.length).toBeLessThanOrEqual(STATEMENTS_MAX);
        expect(asked.flatMap(slowSteps)).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});

test("the lowest free addresses are given in turn, and each once", async () => {
  const addresses = runs();
  const got: number[] = [];
  for (let i = 0; i < 500; i++) got.push((await addresses.take(SUBNET)) ?? 0);
  expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
});
