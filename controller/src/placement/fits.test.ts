// The table of what states offer, against finding it out each time: also with more states than it
// has room for, and after states were numbered anew.
import { expect, test } from "vitest";
import { Columns, Cursor } from "./columns.js";
import { Fits, UNFIT } from "./fits.js";
import type { FleetNode } from "./fleet.js";
import { LeafGroup } from "./leaf-group.js";
import { Makes } from "./make.js";
import { fitting } from "./preferences.js";
import { sampleNode, samplePairs, sampleRequest } from "./sample.js";
import { States } from "./states.js";

/** Nodes that differ in their amounts, and in which of their pairs are free. */
function node(n: number): FleetNode {
  const free = { vcpu: n % 200, memoryMib: 1_000_000 + n, diskGib: 0 };
  return sampleNode(`node-${n}`, { pairs: samplePairs(n), free });
}

const REQUEST = sampleRequest(2, { vcpu: 20, memoryMib: 1_000_100 });

function rowsOf(count: number, numbers?: States) {
  const makes = new Makes();
  const columns = new Columns(makes.all, numbers);
  const cursor = new Cursor(columns);
  const group = new LeafGroup(node(0));
  const kept = Array.from({ length: count }, (_, n) => {
    return columns.write(columns.take(), node(n), { group, make: makes.numberOf(node(n)) });
  });
  return { columns, cursor, kept };
}

function expectRight(fits: Fits, cursor: Cursor, row: number): void {
  const block = fits.blockOn(row, cursor);
  cursor.row = row;
  const found = fitting(cursor, REQUEST);
  expect(block).toBe(found?.broken ?? UNFIT);
  if (found) expect(fits.pairsOn(row, cursor)).toBe(found.pairs);
}

test("what the table says is what the rules say, with more states than it has room for", () => {
  const rows = 10_000;
  const { cursor } = rowsOf(rows);
  const fits = new Fits(REQUEST);
  for (let row = 0; row < rows; row++) expectRight(fits, cursor, row);
  for (let row = 0; row < rows; row += 7) expectRight(fits, cursor, row);
});

test("another state of a row is another entry", () => {
  const { cursor, columns } = rowsOf(100);
  const fits = new Fits(REQUEST);
  for (let row = 0; row < 100; row++) expectRight(fits, cursor, row);
  for (let row = 0; row < 100; row++) columns.adjust(row, { free: 0xff, memoryMib: 2_000_000 });
  for (let row = 0; row < 100; row++) expectRight(fits, cursor, row);
});

test("when numbers run out all rows get others, alike again where they are alike", () => {
  const { columns, cursor, kept } = rowsOf(3, new States(0, 5));
  expect(kept).toEqual([true, true, true]);
  expect(columns.adjust(0, { vcpu: 1_001 })).toBe(true);
  expect(columns.adjust(0, { vcpu: 1_002 })).toBe(true);
  expect(columns.adjust(0, { vcpu: 1_003 })).toBe(false);
  expect(new Set([0, 1, 2].map((row) => cursor.stateOf(row))).size).toBe(3);
  const { vcpu, memoryMib, diskGib } = node(0).free;
  expect(columns.adjust(0, { vcpu, memoryMib, diskGib })).toBe(true);
  const fits = new Fits(REQUEST);
  for (const row of [0, 1, 2]) expectRight(fits, cursor, row);
});
