// Tests of partitions as they come over the wire: what is fit to reach a subnet manager.
import { Violations } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { partitionsFrom, wirePartition } from "./partitions.js";

function faultsOf(...partitions: { pkey: number; members: bigint[] }[]): string[] {
  const bad = new Violations();
  partitionsFrom(partitions, bad);
  return bad.fields.map(({ field }) => field);
}

test("partitions come as keys and GUIDs", () => {
  const bad = new Violations();
  const taken = partitionsFrom([{ pkey: 0x101, members: [1n, 2n ** 63n] }], bad);
  expect(taken).toEqual([{ pkey: 0x101, members: ["0000000000000001", "8000000000000000"] }]);
  expect(bad.fields).toEqual([]);
});

test.each([
  ["the default partition", [{ pkey: 0x7fff, members: [1n] }]],
  ["a key with the membership bit", [{ pkey: 0x8001, members: [1n] }]],
  [
    "one key twice",
    [
      { pkey: 1, members: [1n] },
      { pkey: 1, members: [2n] },
    ],
  ],
  [
    "a port in two partitions",
    [
      { pkey: 1, members: [1n] },
      { pkey: 2, members: [1n] },
    ],
  ],
  ["an empty partition", [{ pkey: 1, members: [] }]],
  ["a GUID of zero", [{ pkey: 1, members: [0n] }]],
  ["members out of order", [{ pkey: 1, members: [2n, 1n] }]],
])("%s is refused", (_, partitions) => {
  expect(faultsOf(...partitions)).not.toEqual([]);
});

test("what was read back goes out with a digest of its own", () => {
  const seen = { pkey: 1, members: ["0000000000000001"], others: [], reason: "" };
  const told = wirePartition(seen);
  expect(told).toMatchObject({ pkey: 1, members: [1n], others: [] });
  expect(wirePartition({ ...seen, others: ["0000000000000002"] }).digest).not.toBe(told.digest);
});
