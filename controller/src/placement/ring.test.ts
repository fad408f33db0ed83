// Points on the ring: which comes first, from every side of each.
import { expect, test } from "vitest";
import { Ring } from "./ring.js";

const MOST = 0xffffffff;

test.each([
  [[]],
  [[0]],
  [[MOST]],
  [[5, 5, 6, 0x7fffffff, 0x80000000, 0xfffffff0]],
  [Array.from({ length: 1_000 }, (_, n) => n * 4_294_967)],
  [Array.from({ length: 100 }, (_, n) => 0x90000000 + n)],
])("the first point at or behind a lot is found, or the first of all", (points) => {
  const ring = new Ring(Uint32Array.from(points));
  const sides = points.flatMap((point) => [Math.max(0, point - 1), point, point + 1]);
  for (const start of [0, MOST, ...sides.filter((side) => side <= MOST)]) {
    const found = points.findIndex((point) => point >= start);
    expect(ring.firstFrom(start)).toBe(Math.max(0, found));
  }
});
