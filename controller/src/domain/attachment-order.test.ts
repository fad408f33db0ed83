// Tests of the order of attachments against a plain array, and of what cannot be placed.
import { expect, test } from "vitest";
import { insertAt, moved, slotOf, without } from "./attachment-order.js";

const order = ["a", "b", "c", "d"].map((id) => ({ id }));
const ids = (list: readonly { readonly id: string }[] | undefined) => list?.map(({ id }) => id);

test("without a successor something lands last, otherwise immediately ahead of it", () => {
  expect(slotOf(order, undefined)).toBe(4);
  expect(slotOf(order, "b")).toBe(1);
  expect(slotOf(order, "x")).toBeUndefined();
  expect(ids(insertAt(order, 1, [{ id: "x" }, { id: "y" }]))).toEqual([..."axybcd"]);
});

test("a move keeps the relative order of the rest", () => {
  expect(ids(moved(order, "d", "b"))).toEqual([..."adbc"]);
  expect(ids(moved(order, "a", undefined))).toEqual([..."bcda"]);
  expect(ids(moved(order, "a", "b"))).toEqual([..."abcd"]);
});

test("nothing moves ahead of itself or of what is not there", () => {
  expect(moved(order, "a", "a")).toBeUndefined();
  expect(moved(order, "a", "x")).toBeUndefined();
  expect(moved(order, "x", "a")).toBeUndefined();
});

test("removing keeps the relative order of the rest", () => {
  expect(ids(without(order, "b"))).toEqual([..."acd"]);
});
