// Tests of which held seats a batch takes.
import { expect, test } from "vitest";
import type { Seats } from "./gang.js";
import { inSegments } from "./hold-use.js";

/** One seat for each letter: its leaf group. */
function seats(groups: string): Seats {
  return [...groups].map((leafGroup, i) => ({
    plan: { fits: true, nodeId: `node-${i}` as never, pairs: [], near: undefined },
    leafGroup: { physicalClusterId: "pc" as never, leafGroup },
  }));
}

function taken(groups: string, count: number, segmentSize?: number): string | undefined {
  const found = inSegments(seats(groups), { count, segmentSize });
  return found?.map(({ leafGroup }) => leafGroup.leafGroup).join("");
}

test("the largest groups come first", () => {
  expect(taken("abbccc", 4)).toBe("cccb");
});

test("each segment is in one group, the shorter last run in one that has room beside", () => {
  expect(taken("aabbbccc", 4, 2)).toBe("bbcc");
  expect(taken("aabbbccc", 7, 3)).toBe("bbbccca");
  expect(taken("abbb", 5, 2)).toBeUndefined();
  expect(taken("aaabbb", 5, 2)).toBe("aabba");
});

test("too few seats are none", () => {
  expect(taken("ab", 3)).toBeUndefined();
  expect(taken("abab", 4, 4)).toBeUndefined();
});

test("a segment longer than the batch is the whole batch", () => {
  expect(taken("aabb", 2, 8)).toBe("aa");
});
