// Proves that few texts serve any number of values.
import { expect, test } from "vitest";
import { anyOf } from "./few-values.js";

test("a condition has a place for each value, and repeats one to fill the rest", () => {
  expect(anyOf("name", ["a"])).toEqual({ text: "name IN (?)", params: ["a"] });
  expect(anyOf("name", ["a", "b"])).toEqual({ text: "name IN (?, ?)", params: ["a", "b"] });
  const three = anyOf("name", ["a", "b", "c"]);
  expect(three).toEqual({ text: "name IN (?, ?, ?, ?)", params: ["a", "b", "c", "a"] });
});

test("as many values as a power of two, or a few less, share one text", () => {
  const text = (count: number) => anyOf("x", Array(count).fill("v")).text;
  expect(new Set([5, 6, 7, 8].map(text)).size).toBe(1);
  expect(text(9)).not.toBe(text(8));
});

test("no value at all is asked for as NULL, which equals nothing", () => {
  expect(anyOf("name", [])).toEqual({ text: "name IN (?)", params: [null] });
});
