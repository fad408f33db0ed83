// Statements that insert several rows, made of such that insert one.
import { expect, test } from "vitest";
import { insertTogether, TOGETHER_MAX } from "./insert-together.js";

test("a statement that inserts a row becomes one that inserts several", () => {
  const text = "INSERT INTO cars (id, name) VALUES (?, ?) ON CONFLICT (id) DO NOTHING";
  expect(insertTogether(text, 1)).toBe(text);
  expect(insertTogether(text, 3)).toBe(
    "INSERT INTO cars (id, name) VALUES (?, ?), (?, ?), (?, ?) ON CONFLICT (id) DO NOTHING",
  );
  expect(insertTogether(text, TOGETHER_MAX)?.match(/\(\?, \?\)/g)).toHaveLength(TOGETHER_MAX);
});

test("the line may end before the values", () => {
  const text = `INSERT INTO cars (id)
     VALUES (?)`;
  expect(insertTogether(text, 2)).toBe(`${text}, (?)`);
});

test("more rows than one statement inserts are inserted by none", () => {
  expect(insertTogether("INSERT INTO cars (id) VALUES (?)", TOGETHER_MAX + 1)).toBeUndefined();
});

test("a statement that inserts no row as it is given stays alone", () => {
  expect(insertTogether("DELETE FROM cars WHERE id = ?", 2)).toBeUndefined();
  expect(insertTogether("INSERT INTO cars (id, at) VALUES (?, max(?, 1))", 2)).toBeUndefined();
  expect(insertTogether("INSERT INTO cars SELECT ?", 2)).toBeUndefined();
});
