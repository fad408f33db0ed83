// Padded columns.
import { expect, test } from "vitest";
import { type Column, recordLines, tableLines } from "./table.js";

interface Row {
  readonly name: string;
  readonly state: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "STATE", cell: ({ state }) => state, state: true },
];

const ROWS = [
  { name: "a-long-name", state: "running" },
  { name: "b", state: "" },
];

test("columns are as wide as their widest cell, and an empty cell is a dash", () => {
  expect(tableLines(COLUMNS, ROWS)).toEqual([
    "NAME          STATE",
    "a-long-name   running",
    "b             -",
  ]);
});

test("without items only the titles are printed", () => {
  expect(tableLines(COLUMNS, [])).toEqual(["NAME   STATE"]);
});

test("nothing is cut without a width, and a row fits into one that is given", () => {
  const long = [{ name: "x".repeat(50), state: "stopped" }];
  expect(tableLines(COLUMNS, long)[1]).toHaveLength(60);
  expect(tableLines(COLUMNS, long, { width: 56 })[1]).toBe(`${"x".repeat(50)}   st…`);
  expect(tableLines(COLUMNS, long, { width: 20 })[1]).toBe(`${"x".repeat(19)}…`);
});

test("tints surround the words and leave the padding alone", () => {
  const tint = { title: (text: string) => `<${text}>`, state: (text: string) => `[${text}]` };
  expect(tableLines(COLUMNS, ROWS, { tint })).toEqual([
    "<NAME>          <STATE>",
    "a-long-name   [running]",
    "b             [-]",
  ]);
});

test("a single object is a line for each field, more lines below the value", () => {
  expect(recordLines(COLUMNS, { name: "a", state: "failed\nno room" })).toEqual([
    "NAME    a",
    "STATE   failed\n        no room",
  ]);
});
