// A database from when a node's generations stood in its row, and what it had not accepted in an
// outbox: both are still known, and who waited longest still comes first.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STEPS } from "@railyard/controller/store/migrations";
import { SCHEMA_14 } from "@railyard/controller/store/schema-14";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { ManualClock } from "@railyard/lib/clock";
import type { NodeId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import Database from "better-sqlite3";
import { afterEach, expect, test } from "vitest";
import * as rows from "./conformance/store-rows.js";
import { writeOlder } from "./older-database.js";

const dir = mkdtempSync(join(tmpdir(), "railyard-generations-"));
const [newer, older] = [join(dir, "newer.db"), join(dir, "older.db")];
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const CALM = "node-a" as NodeId;
const SECOND = "node-b" as NodeId;
/** By what it waits for alone: its name comes last. */
const FIRST = "node-c" as NodeId;

function open(path: string) {
  const onFatal = (err: unknown) => {
    throw err;
  };
  return openSqlite({ path, clock: new ManualClock(), log: silentLog(), onFatal });
}

test("generations and what waits for nodes survive the upgrade", async () => {
  let store = await open(newer);
  await store.write(rows.cause(), async (tx) => {
    await tx.physicalClusters.insert(rows.cluster());
    for (const id of [CALM, FIRST, SECOND]) await tx.nodes.insert(rows.node(id));
  });
  await store.close();
  writeOlder(older, newer, STEPS.indexOf(SCHEMA_14));
  const db = new Database(older);
  db.exec("UPDATE nodes SET generation = 7, accepted_generation = 7 WHERE id = 'node-a'");
  db.exec(
    "UPDATE nodes SET generation = 9, accepted_generation = 4 WHERE id IN ('node-b', 'node-c')",
  );
  db.exec("INSERT INTO outbox VALUES ('node-b', 9, 1), ('node-c', 9, 0)");
  db.close();
  store = await open(older);
  const pending = () => store.read((tx) => tx.outbox.pending());
  const second = { nodeId: SECOND, generation: 9n };
  expect(await pending()).toEqual([{ nodeId: FIRST, generation: 9n }, second]);
  const calm = await store.read((tx) => tx.nodes.get(CALM));
  expect(calm).toMatchObject({ id: CALM, generation: 7n, acceptedGeneration: 7n });
  await store.write(rows.cause(), (tx) => tx.outbox.raise(FIRST));
  expect(await pending()).toEqual([{ nodeId: FIRST, generation: 10n }, second]);
  await store.write(rows.cause(), (tx) => tx.outbox.accepted(FIRST, 10n));
  await store.write(rows.cause(), (tx) => tx.outbox.raise(CALM));
  expect(await pending()).toEqual([second, { nodeId: CALM, generation: 8n }]);
  await store.close();
});
