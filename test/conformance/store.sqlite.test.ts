// SQLite, in memory and in a file, held to the store's contract.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Encode } from "@railyard/controller/store/contract";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { ManualClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { afterEach } from "vitest";
import { type StoreBox, storeConformance } from "./store.js";

const ended: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

function open(path: string, encode?: Encode) {
  const onFatal = (err: unknown) => {
    throw err;
  };
  return openSqlite({ path, clock: new ManualClock(), log: silentLog(), onFatal, encode });
}

async function openFile(encode?: Encode): Promise<StoreBox> {
  const folder = mkdtempSync(join(tmpdir(), "railyard-store-"));
  const path = join(folder, "railyard.db");
  let store = await open(path, encode);
  ended.push(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const reopen = async () => {
    await store.close();
    store = await open(path, encode);
    return store;
  };
  return { store, reopen };
}

storeConformance("sqlite in a file", openFile);
