// Tests of GUIDs made of MACs and partition keys.
import { expect, test } from "vitest";
import { guidFrom, guidNumber, guidOf, identityOf, isPkey } from "./guid.js";

const identity = { mac: "02:00:5e:10:20:30", pkey: 0x0101 };

test("a port's guid carries its mac and its partition, and both are read back from it", () => {
  expect(guidOf(identity)).toBe("02005e0101102030");
  expect(identityOf("02005e0101102030")).toEqual(identity);
});

test("the same mac in two partitions makes two guids", () => {
  expect(guidOf(identity)).not.toBe(guidOf({ ...identity, pkey: 0x0102 }));
});

test("the default partition and keys with the membership bit separate no network", () => {
  expect([0, 1, 0x7ffe, 0x7fff, 0x8001].map(isPkey)).toEqual([false, true, true, false, false]);
  expect(() => guidOf({ ...identity, pkey: 0x7fff })).toThrow("partition key");
  expect(() => guidOf({ ...identity, mac: "02:00:5E:10:20:30" })).toThrow("MAC");
});

test("a guid is the same as text and as a number", () => {
  expect(guidFrom(guidNumber("f2005e0101102030"))).toBe("f2005e0101102030");
  expect(guidFrom(1n)).toBe("0000000000000001");
  expect(() => guidNumber("0x1")).toThrow("sixteen");
});
