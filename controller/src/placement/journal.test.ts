// What changed: read back in order, also when more was noted than there was room for at first, and
// never more than is still known.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { Journal, LOOK } from "./journal.js";
import { LeafGroup, MARK_BITS } from "./leaf-group.js";

function groupAt(position: number, started: number): LeafGroup {
  const physicalClusterId = "pc-a" as PhysicalClusterId;
  const group = new LeafGroup({ zone: "z1", physicalClusterId, leafGroup: `su${position}` });
  group.position = position;
  group.started = started;
  group.wholeFree = position;
  return group;
}

/** As they were noted: leaf group's position, mark, state, whether it is unstarted, whole nodes. */
function read({ entries, ...journal }: Journal, indexOf: (n: number) => number): number[][] {
  const read: number[][] = [];
  for (let n = Math.max(0, journal.next - 3); n < journal.next; n++) {
    const [where = 0, state = 0, use = 0] = entries.slice(indexOf(n), indexOf(n) + 3);
    const mark = where & (2 ** MARK_BITS - 1);
    read.push([where >> MARK_BITS, mark, state, use >> 16, use & 0xffff]);
  }
  return read;
}

test.each([3, 64, 65, 1_000, 16_384, 40_000])("of %i changes the latest are known", (count) => {
  const journal = new Journal();
  for (let n = 0; n < count; n++) {
    journal.add(groupAt(n % 1_000, n % 2), n % 32, n === count - 2 ? LOOK : n);
  }
  const expected = [count - 3, count - 2, count - 1].map((n) => {
    const state = n === count - 2 ? LOOK : n;
    return [n % 1_000, n % 32, state, n % 2 === 0 ? 1 : 0, n % 1_000];
  });
  expect(read(journal, (n) => journal.indexOf(n))).toEqual(expected);
  expect([journal.knows(count - 1), journal.knows(count)]).toEqual([true, true]);
  expect(journal.knows(0)).toBe(count <= 16_384);
  expect(journal.knows(-1)).toBe(false);
});

test("leaf groups that changed since are named once, or unknown", () => {
  const journal = new Journal();
  for (const position of [4, 7, 4, 9]) journal.add(groupAt(position, 1), 0, 1);
  expect([...(journal.since(0) ?? [])]).toEqual([4, 7, 9]);
  expect([...(journal.since(2) ?? [])]).toEqual([4, 9]);
  expect([...(journal.since(4) ?? [9])]).toEqual([]);
  expect(journal.since(-1)).toBeUndefined();
  for (let n = 0; n < 16_384; n++) journal.add(groupAt(1, 1), 0, 1);
  expect(journal.since(3)).toBeUndefined();
  expect([...(journal.since(4) ?? [])]).toEqual([1]);
});
