// Declared things are read once, and again after any of them changed.
import { expect, test } from "vitest";
import { DeclaredCache } from "./declared-cache.js";

test("a value is read once until something declared is touched, and so is its lack", async () => {
  const cache = new DeclaredCache();
  let reads = 0;
  const read = async () => ++reads;
  expect([await cache.get("a", read), await cache.get("a", read)]).toEqual([1, 1]);
  cache.touched({ kind: "instance", id: "i" });
  expect(await cache.get("a", read)).toBe(1);
  cache.touched({ kind: "catalogItem", id: "image/i" });
  expect(await cache.get("a", read)).toBe(2);
  const nothing = async () => void ++reads;
  expect([await cache.get("b", nothing), await cache.get("b", nothing)]).toEqual([
    undefined,
    undefined,
  ]);
  expect(reads).toBe(3);
  cache.touched({ kind: "catalogItem", id: "image/b" });
  expect(await cache.get("b", read)).toBe(4);
});

test("what was being read while something declared changed is not kept", async () => {
  const cache = new DeclaredCache();
  let find: (value: string) => void = () => {};
  const reading = cache.get("a", () => new Promise<string>((resolve) => (find = resolve)));
  cache.touched({ kind: "zone", id: "z" });
  find("old");
  expect(await reading).toBe("old");
  expect(await cache.get("a", async () => "new")).toBe("new");
});
