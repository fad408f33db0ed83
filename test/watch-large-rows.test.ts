// Watching a log of rows that are megabytes each, as a large batch leaves them: readers of every
// pace are told all of it, whole and in order, from memory that does not grow with them.
import { watchObjects } from "@railyard/controller/service/watch";
import { WatchHub } from "@railyard/controller/service/watch/hub";
import type { AccountChangeRow, LogPage, Store } from "@railyard/controller/store/contract";
import { systemClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { WatchObjectsRequest, WatchServiceService } from "@railyard/proto/gen/railyard/v1/watch";
import { expect, test } from "vitest";
import { Customer } from "./customer.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const ACME = "acme" as AccountId;
const OBJECTS = 48;
const OBJECT_BYTES = 64 * 1024;
const MIB = 1024 * 1024;

/** A log whose rows of three MiB are made when they are read. */
class LargeLog {
  newest = 0n;
  pagesRead = 0;
  private readonly told: (() => void)[] = [];

  grow(rows: number): void {
    this.newest += BigInt(rows);
    for (const tell of this.told) tell();
  }

  store(): Store {
    const logs = {
      accountLog: async () => ({ newest: this.newest, droppedTo: 0n }),
      accountChangesAfter: async (_: AccountId, after: bigint, page: LogPage) =>
        this.rows(after, page),
    };
    const touched: ((touch: object) => void)[] = [];
    this.told.push(() => {
      for (const tell of touched) tell({ kind: "accountLog", id: ACME });
    });
    return {
      read: async (fn: (tx: object) => unknown) => fn({ logs }),
      onTouch: (fn: (touch: object) => void) => touched.push(fn),
      onCommit: (fn: () => void) => this.told.push(fn),
    } as unknown as Store;
  }

  private rows(after: bigint, { rows, bytes = 0 }: LogPage): AccountChangeRow[] {
    this.pagesRead += 1;
    const made: AccountChangeRow[] = [];
    for (let left = bytes; made.length < rows && left >= 0; left -= OBJECTS * OBJECT_BYTES) {
      const revision = after + BigInt(made.length + 1);
      if (revision > this.newest) break;
      if (made.length > 0 && left < OBJECTS * OBJECT_BYTES) break;
      made.push(rowOf(revision));
    }
    return made;
  }
}

function rowOf(revision: bigint): AccountChangeRow {
  const entries = Array.from({ length: OBJECTS }, (_, i) => ({
    ...{ kind: i % 2 === 0 ? "instance" : "attachment", id: `${revision}/${i}`, account: ACME },
    ...{ op: "updated" as const, object: Buffer.alloc(OBJECT_BYTES, Number(revision % 251n)) },
  }));
  return { accountRevision: revision, revision, at: 0, entries };
}

interface Watching {
  /** The first thing that was not as it should be. */
  fault: string | undefined;
  revision: bigint;
  events: number;
  readonly ended: Promise<unknown>;
  readonly stop: () => void;
}

/** Takes what it is told as fast as `pace` says, and keeps none of it. */
function watch(hub: WatchHub, pace: () => Promise<void> | undefined, from = 0n): Watching {
  const over = new AbortController();
  const seen = { fault: undefined as string | undefined, revision: from, events: 0 };
  let inRow = 0;
  const call = { account: ACME, principal: undefined as never, signal: over.signal };
  const ended = watchObjects(hub, call, {
    wish: { kinds: undefined, from },
    deliver: (message) => {
      if (message.t === "bookmark") return undefined;
      const { revision, object } = message.change;
      const isNext = revision === seen.revision + 1n;
      const isSame = object[0] === Number(revision % 251n) && object.length === OBJECT_BYTES;
      const isLast = inRow === OBJECTS - 1;
      if (!isNext || !isSame || isLast !== message.lastOfRevision) {
        seen.fault ??= `${revision} after ${seen.revision}, ${inRow} of it`;
      }
      inRow = isLast ? 0 : inRow + 1;
      if (isLast) seen.revision = revision;
      seen.events += 1;
      return pace();
    },
  }).catch((thrown) => thrown);
  return Object.assign(seen, { ended, stop: () => over.abort() });
}

test("over a socket, a reader that rests amid large revisions gets each whole", async () => {
  const yard = await Yard.open();
  try {
    await yard.applyMzone();
    const { wire } = new Customer(await yard.tenant(ACME));
    const customer = new Customer(wire);
    const { id } = await customer.network();
    const { store } = yard.controller.context;
    const cause = { by: "system:test", method: "Test", at: 0 };
    const NETWORKS = 800;
    const ROWS = 12;
    const nth = (i: number) => `${id}-${i}` as never;
    await store.write(cause, async (tx) => {
      const own = tx.account(ACME).clusterNetworks;
      const row = await own.get(id as never);
      for (let i = 0; row && i < NETWORKS; i++) {
        await own.insert({ ...row, id: nth(i), name: `n-${i}` });
      }
    });
    for (let round = 1; round < ROWS; round++) {
      await store.write(cause, async (tx) => {
        const own = tx.account(ACME).clusterNetworks;
        for (let i = 0; i < NETWORKS; i++) {
          const row = await own.get(nth(i));
          if (row) await own.update({ ...row, etag: `e${round}` });
        }
      });
    }
    const request = WatchObjectsRequest.fromPartial({ fromRevision: 1n });
    const stream = wire.stream(WatchServiceService.watchObjects, request);
    const events = () =>
      stream.messages.flatMap(({ message }) => (message?.$case === "event" ? [message.value] : []));
    for (let rest = 0; rest < 12; rest++) {
      stream.call.pause();
      await new Promise((resolve) => setTimeout(resolve, rest === 3 ? 800 : 40));
      stream.call.resume();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("all is told", () => events().length >= ROWS * NETWORKS);
    const told = events().map(({ revision, lastOfRevision, object }) => [
      ...[Number(revision), lastOfRevision, object?.value.id],
    ]);
    expect(told).toEqual(
      Array.from({ length: ROWS * NETWORKS }, (_, i) => [
        ...[2 + Math.floor(i / NETWORKS), i % NETWORKS === NETWORKS - 1, nth(i % NETWORKS)],
      ]),
    );
    stream.call.cancel();
  } finally {
    await yard.close();
  }
});

test("rows of megabytes are told to readers of every pace, from flat memory", async () => {
  const log = new LargeLog();
  log.grow(40);
  const hub = new WatchHub({
    ...{ store: log.store(), clock: systemClock(), log: silentLog() },
    complete: (entry) => [entry],
  });
  hub.start();
  const rng = seededRng("pace");
  const soon = () => new Promise<void>((resolve) => setImmediate(resolve));
  const late = () => new Promise<void>((resolve) => setTimeout(resolve, rng.int(3)));
  const never = () => new Promise<void>(() => undefined);
  const stuck = Array.from({ length: 12 }, (_, i) => watch(hub, never, BigInt(i)));
  const moving = Array.from({ length: 36 }, (_, i) =>
    watch(hub, i % 3 === 0 ? () => undefined : i % 3 === 1 ? soon : late, BigInt(i % 30)),
  );
  let peak = 0;
  const begun = process.memoryUsage().arrayBuffers;
  const done = () => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - begun);
    return moving.every(({ revision, fault }) => fault || revision === log.newest);
  };
  await until("the old rows are told", done);
  log.grow(20);
  await until("the new rows are told", done);
  const all = [...stuck, ...moving];
  expect(all.map(({ fault }) => fault)).toEqual(all.map(() => undefined));
  // Whoever takes nothing is told nothing more, and keeps the others waiting no longer than once.
  expect(stuck.map(({ events }) => events)).toEqual(stuck.map(() => 1));
  for (const one of all) one.stop();
  await hub.stop();
  // What nobody has collected yet included; were each given a page of rows it would be many GiB.
  expect(peak).toBeLessThan(256 * MIB);
});
