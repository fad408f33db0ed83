// What is kept of what was asked for.
import { expect, test } from "vitest";
import { Recent } from "./recent.js";

/** Keeps two; keys of one length have one hash. */
function asking() {
  const isSame = (a: string, b: string) => a === b;
  const recent = new Recent<string, string>(2, { isSame, hashOf: ({ length }) => length });
  const made: string[] = [];
  const make = (key: string) => {
    made.push(key);
    return recent.keep(key, key);
  };
  return { recent, made, ask: (key: string) => recent.find(key) ?? make(key) };
}

test("what was used longest ago is made anew, and nothing else is", () => {
  const { recent, made, ask } = asking();
  expect(["a", "b", "a", "c", "a", "b"].map(ask)).toEqual(["a", "b", "a", "c", "a", "b"]);
  expect(made).toEqual(["a", "b", "c", "b"]);
  recent.clear();
  expect(ask("b")).toBe("b");
  expect(made).toHaveLength(5);
});

test("keys with other hashes are kept beside each other", () => {
  const { made, ask } = asking();
  expect(["a", "aa", "a", "aa"].map(ask)).toEqual(["a", "aa", "a", "aa"]);
  expect(made).toEqual(["a", "aa"]);
});
