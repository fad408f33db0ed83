// Measured: rows a second of the store alone, without a server around it: what a create of an
// instance with eight attachments inserts, from 64 writers at the same time, against a bare loop
// over better-sqlite3 that writes the same rows, logs included, in as many commits.
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeObject } from "@railyard/controller/api/watch-object";
import { storedCatalog } from "@railyard/controller/catalog/stored";
import { objectEncoder } from "@railyard/controller/service/watch/objects";
import type { WriteTx } from "@railyard/controller/store/contract";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import {
  ACCOUNT,
  attachment,
  BASE,
  cause,
  instance,
  networkInterface,
  plant,
  reservedIp,
} from "../conformance/store-rows.js";
import { callByCall, differences, writeBare } from "./bare-rows.js";
import type { Effort } from "./compare.js";
import { type Figure, figure, least, median } from "./figure.js";
import { IN_FLIGHT } from "./load.js";

const WRITES = 2_000;
const ATTACHMENTS = 8;
const FIRST_ADDRESS = BASE + 2 ** 16;

export async function measureStore(effort: Effort): Promise<readonly Figure[]> {
  const writes = Math.ceil(WRITES / effort.less);
  const windows: Window[] = [];
  for (let window = 0; window <= effort.windows; window++) windows.push(await oneWindow(writes));
  const counted = windows.slice(1);
  const of = (value: (window: Window) => number) => median(counted.map(value));
  const note =
    `${of(({ ours }) => ours).toFixed(0)}/s of ${of(({ bare }) => bare).toFixed(0)}/s, ` +
    `${of(({ perWrite }) => perWrite).toFixed(1)} rows a write, ` +
    `${of(({ perCommit }) => perCommit).toFixed(0)} writes a commit`;
  const value = of(({ ours, bare }) => ours / bare);
  return [
    figure("Rows/s of the store, of a bare loop", { value, unit: "×", goal: least(0.5), note }),
  ];
}

interface Window {
  /** Rows a second. */
  readonly ours: number;
  readonly bare: number;
  readonly perWrite: number;
  readonly perCommit: number;
}

async function oneWindow(writes: number): Promise<Window> {
  const dir = mkdtempSync(join(tmpdir(), "railyard-rows-"));
  try {
    const [path, before] = [join(dir, "railyard.db"), join(dir, "before.db")];
    const planted = await open(path);
    await planted.write(cause(), plant);
    await planted.close();
    copyFileSync(path, before);
    const store = await open(path);
    const wishes = Array.from({ length: writes }, (_, at) => wishOf(at));
    const started = performance.now();
    let next = 0;
    const writer = async () => {
      for (let wish = wishes[next++]; wish; wish = wishes[next++]) {
        const rows = wish;
        await store.write(cause("Bench", ACCOUNT), (tx) => insert(tx, rows));
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
    const seconds = (performance.now() - started) / 1_000;
    const { commits } = store.stats();
    await store.close();
    const rows = callByCall(differences(path, before), writes);
    const bare = rows.length / writeBare(before, rows, commits);
    const perWrite = rows.length / writes;
    return { ours: rows.length / seconds, bare, perWrite, perCommit: writes / commits };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function open(path: string) {
  const onFatal = (err: unknown) => {
    throw err;
  };
  // As in production, where what is written is encoded for its owner as well.
  const encode = objectEncoder({ catalog: storedCatalog() }, encodeObject);
  return openSqlite({ path, clock: systemClock(), log: silentLog(), onFatal, encode });
}

/** An instance, and for each of its attachments the interface and the address. */
function wishOf(at: number) {
  const host = instance(`ins-bench-${at}`);
  const numbers = Array.from({ length: ATTACHMENTS }, (_, i) => at * ATTACHMENTS + i);
  const ips = numbers.map((number) =>
    reservedIp(`cnip-bench-${number}`, { address: FIRST_ADDRESS + number }),
  );
  const cards = numbers.map((number, i) => {
    const primaryIpId = ips[i]?.id ?? reservedIp().id;
    return networkInterface(`cni-bench-${number}`, { mac: `02-${number}`, primaryIpId });
  });
  const attachments = cards.map((card, position) => {
    const on = { instanceId: host.id, interfaceId: card.id, position };
    return attachment(`cna-bench-${at * ATTACHMENTS + position}`, on);
  });
  return { host, ips, cards, attachments };
}

async function insert(tx: WriteTx, wish: ReturnType<typeof wishOf>): Promise<void> {
  const own = tx.account(ACCOUNT);
  await own.instances.insert(wish.host);
  await own.reservedIps.insertAll(wish.ips);
  await own.interfaces.insertAll(wish.cards);
  await own.attachments.insertAll(wish.attachments);
}
