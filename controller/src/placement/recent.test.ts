// What is kept of what was asked for.
import { expect, test } from "vitest";
import { Recent } from "./recent.js";

test("what was used longest ago is made anew, and nothing else is", () => {
  const recent = new Recent<string, string>(2, (a, b) => a === b);
  const made: string[] = [];
  const ask = (key: string) =>
    recent.get(key, () => {
      made.push(key);
      return key;
    });
  expect(["a", "b", "a", "c", "a", "b"].map(ask)).toEqual(["a", "b", "a", "c", "a", "b"]);
  expect(made).toEqual(["a", "b", "c", "b"]);
  recent.clear();
  expect(ask("b")).toBe("b");
  expect(made).toHaveLength(5);
});
