// Tests of how ports' partition tables are read beside what they should be.
import { expect, test } from "vitest";
import { membership } from "./membership.js";

const [a, b, c] = ["00000000000000aa", "00000000000000bb", "00000000000000cc"];
const wanted = [{ pkey: 0x101, members: [a, b] }];
const port = (guid: string, ...pkeys: number[]) => ({ guid, pkeys: [0x7fff, ...pkeys] });

test("full members that are in nothing else are as desired", () => {
  const { partitions, wrong, absent } = membership(wanted, [port(b, 0x8101), port(a, 0x8101)]);
  expect(partitions).toEqual([{ pkey: 0x101, members: [a, b], others: [], reason: "" }]);
  expect([wrong, absent]).toEqual([false, false]);
});

test("a member that is not on the fabric is waited for, not wrong", () => {
  const found = membership(wanted, [port(a, 0x8101)]);
  expect(found.partitions[0]?.reason).toContain("1 member(s) are not on the fabric");
  expect([found.wrong, found.absent]).toEqual([false, true]);
});

test("limited membership, a second partition and full default membership are no membership", () => {
  const limited = membership(wanted, [port(a, 0x8101), port(b, 0x0101)]);
  const second = membership(wanted, [port(a, 0x8101), port(b, 0x8101, 0x8102)]);
  const open = membership(wanted, [port(a, 0x8101), { guid: b, pkeys: [0xffff, 0x8101] }]);
  for (const found of [limited, second, open]) {
    expect(found.partitions[0]).toMatchObject({ members: [a], others: [b] });
    expect(found.wrong).toBe(true);
  }
});

test("a port in a partition that it should not be in, or that should not be, is wrong", () => {
  const stranger = membership(wanted, [port(a, 0x8101), port(b, 0x8101), port(c, 0x8101)]);
  expect(stranger.wrong).toBe(true);
  const left = membership([], [port(a, 0x8101)]);
  expect(left).toMatchObject({ wrong: true, partitions: [{ pkey: 0x101, members: [a] }] });
});

test("a port of the default partition alone carries nothing", () => {
  expect(membership([], [{ guid: a, pkeys: [0xffff] }, port(b)]).partitions).toEqual([]);
});
