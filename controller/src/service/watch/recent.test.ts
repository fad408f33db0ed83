// Tests of the newest rows that an account's readers share.
import { expect, test } from "vitest";
import type { AccountChangeRow } from "../../store/contract.js";
import { RecentRows } from "./recent.js";

const ROOM = { rows: 8, bytes: 1024 };

function row(revision: number): AccountChangeRow {
  return { accountRevision: BigInt(revision), revision: 0n, at: 0, entries: [] };
}

function revisions(recent: RecentRows, after: bigint): number[] | undefined {
  return recent.after(after, 100)?.map(({ accountRevision }) => Number(accountRevision));
}

test("rows go on from where they began, and the oldest make room", () => {
  const recent = new RecentRows(4n);
  recent.append([row(5), row(6)], ROOM);
  recent.append([7, 8, 9, 10, 11, 12, 13].map(row), ROOM);
  expect(revisions(recent, 5n)).toEqual([6, 7, 8, 9, 10, 11, 12, 13]);
  expect(revisions(recent, 4n)).toBeUndefined();
});

test("where rows went unread nobody is led across the gap", () => {
  const recent = new RecentRows(4n);
  recent.append([row(5), row(6)], ROOM);
  recent.append([row(9), row(10)], ROOM);
  expect([recent.floor, recent.head]).toEqual([8n, 10n]);
  expect([4n, 5n, 6n, 7n].map((after) => revisions(recent, after))).toEqual(
    Array(4).fill(undefined),
  );
  expect(revisions(recent, 8n)).toEqual([9, 10]);
});
