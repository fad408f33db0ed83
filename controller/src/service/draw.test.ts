// Drawing: nothing twice, nothing that is taken, few questions, an end.
import { refuse } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { drawFree } from "./draw.js";

function drawing(values: readonly string[], taken: readonly string[]) {
  const left = [...values];
  const asked: (readonly string[])[] = [];
  return {
    asked,
    draw: () => left.shift() ?? "x",
    taken: async (some: readonly string[]) => {
      asked.push(some);
      return new Set(taken);
    },
    refusal: () => refuse("exhausted", "none is free"),
  };
}

test("all are asked about at once, and only what is missing is drawn again", async () => {
  const wish = drawing(["a", "b", "a", "c", "d"], ["b"]);
  expect(await drawFree(3, wish)).toEqual(["a", "c", "d"]);
  expect(wish.asked).toEqual([
    ["a", "b", "a"],
    ["c", "d"],
  ]);
});

test("for nothing nobody is asked", async () => {
  const wish = drawing([], []);
  expect(await drawFree(0, wish)).toEqual([]);
  expect(wish.asked).toEqual([]);
});

test("it gives up when everything is taken", async () => {
  const wish = drawing([], ["x"]);
  await expect(drawFree(2, wish)).rejects.toMatchObject({ code: "exhausted" });
  expect(wish.asked).toHaveLength(16);
});
