// Tests of the pages that readers behind are given: how much is held, and when it is taken away.
import { ManualClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { AccountChangeRow } from "../../store/contract.js";
import { LEFT_LYING_MS, PAGES_OF_ALL, PAGES_OF_ONE, Pages } from "./pages.js";
import { RecentRows } from "./recent.js";

const ACME = "acme" as AccountId;
const NEXT = { rows: 1, bytes: 1_000 };
const MIB = 1024 * 1024;

function row(revision: number, bytes = 10): AccountChangeRow {
  const entry = { kind: "instance", id: "i", account: ACME, op: "updated" as const };
  const entries = [{ ...entry, object: Buffer.alloc(bytes) }];
  return { accountRevision: BigInt(revision), revision: 0n, at: 0, entries };
}

function open(standsIn = true) {
  const clock = new ManualClock();
  const at = { standsIn };
  return { clock, at, pages: new Pages(clock, () => at.standsIn) };
}

test("a page is found by any place in it, and by no other account", () => {
  const { pages } = open();
  pages.add(ACME, [row(5), row(6), row(7)]);
  const revisions = (after: bigint, account = ACME) =>
    pages.after(account, after)?.map(({ accountRevision }) => Number(accountRevision));
  expect([3n, 4n, 6n, 7n].map((after) => revisions(after))).toEqual([
    ...[undefined, [5, 6, 7], [7], undefined],
  ]);
  expect(revisions(4n, "globex" as AccountId)).toBeUndefined();
});

test("an account's pages are bounded by their bytes, one that is larger alone", () => {
  const { pages } = open();
  pages.add(ACME, [row(1, 4 * PAGES_OF_ONE.bytes)]);
  expect(pages.hasRoom(ACME, NEXT)).toBe(false);
  expect(pages.hasRoom("globex" as AccountId, NEXT)).toBe(false);
  const small = open().pages;
  for (let i = 1; small.hasRoom(ACME, NEXT); i++) small.add(ACME, [row(i, MIB / 2 - 320)]);
  expect(small.after(ACME, BigInt(PAGES_OF_ONE.bytes / MIB - 1))).toBeDefined();
  expect(small.after(ACME, BigInt(PAGES_OF_ONE.bytes / MIB))).toBeUndefined();
});

test("pages of all accounts together are bounded, too", () => {
  const { pages } = open();
  const accounts = Array.from({ length: 100 }, (_, i) => `acc-${i}` as AccountId);
  const given = accounts.filter((account) => {
    const has = pages.hasRoom(account, NEXT);
    if (has) pages.add(account, [row(1, 3 * MIB - 320)]);
    return has;
  });
  expect(given).toHaveLength(Math.ceil(PAGES_OF_ALL.bytes / (6 * MIB)));
});

test("room is made of pages that nobody stands in, or that are left lying", async () => {
  const { pages, clock, at } = open();
  const fill = () => pages.add(ACME, [row(1, PAGES_OF_ONE.bytes)]);
  fill();
  expect(pages.hasRoom(ACME, NEXT)).toBe(false);
  at.standsIn = false;
  expect(pages.hasRoom(ACME, NEXT)).toBe(true);
  at.standsIn = true;
  fill();
  await clock.advance(LEFT_LYING_MS - 1);
  pages.after(ACME, 0n);
  await clock.advance(LEFT_LYING_MS - 1);
  expect(pages.hasRoom(ACME, NEXT)).toBe(false);
  await clock.advance(1);
  expect(pages.hasRoom(ACME, NEXT)).toBe(true);
  expect(pages.after(ACME, 0n)).toBeUndefined();
});

test("what is left lying goes, also when nobody wants its room", async () => {
  const { pages, clock } = open();
  pages.add(ACME, [row(1)]);
  pages.tidy();
  expect(pages.after(ACME, 0n)).toBeDefined();
  await clock.advance(LEFT_LYING_MS);
  pages.tidy();
  expect(pages.after(ACME, 0n)).toBeUndefined();
});

test("of the newest rows as many are kept as there is room for, by number and by bytes", () => {
  const recent = new RecentRows(0n);
  recent.append([row(1), row(2), row(3)], { rows: 2, bytes: MIB });
  expect([recent.floor, recent.head]).toEqual([1n, 3n]);
  expect(recent.after(0n, 10)).toBeUndefined();
  expect(recent.after(2n, 10)).toEqual([row(3)]);
  recent.append([row(4, MIB)], { rows: 2, bytes: MIB });
  expect([recent.floor, recent.head, recent.after(4n, 10)]).toEqual([4n, 4n, []]);
});
