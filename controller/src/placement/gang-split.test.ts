// Dividing a gang among parts, against every division there is.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Division, mostOf, type Part, split } from "./gang-split.js";

const RUNS = { numRuns: 3_000 };

/** Parts whose costs follow no rule. */
const anyParts = fc.array(fc.array(fc.nat(9), { maxLength: 7 }), { maxLength: 5 });
const anyDivision = fc.record({
  count: fc.integer({ min: 1, max: 14 }),
  segmentSize: fc.integer({ min: 1, max: 5 }),
  maxParts: fc.constantFrom(1, 2, 3, Number.POSITIVE_INFINITY),
});

function partsOf(costs: readonly (readonly number[])[]): readonly Part[] {
  return costs.map((list) => ({
    capacity: list.length,
    kind: Number(`${list.length}${list.join("")}`),
    cost: (members) => list[members - 1]!,
  }));
}

/** Every division as members by part. */
function* divisions(
  costs: readonly (readonly number[])[],
  division: Division,
): Iterable<readonly number[]> {
  const { count, segmentSize, maxParts } = division;
  const rest = count % segmentSize;
  const extend = function* (given: readonly number[], left: number): Iterable<readonly number[]> {
    const room = costs[given.length];
    if (room === undefined) {
      if (left === 0) yield given;
      return;
    }
    for (let m = 0; m <= Math.min(room.length, left); m++) yield* extend([...given, m], left - m);
  };
  for (const given of extend([], count)) {
    const over = given.filter((members) => members % segmentSize !== 0);
    const whole =
      rest === 0 ? over.length === 0 : over.length === 1 && over[0]! % segmentSize === rest;
    if (whole && given.filter((members) => members > 0).length <= maxParts) yield given;
  }
}

test("a division has the fewest parts, and of those ways the least cost", () => {
  let apart = 0;
  fc.assert(
    fc.property(anyParts, anyDivision, (costs, division) => {
      const scores = [...divisions(costs, division)].map((given) => {
        const sum = given.reduce((all, m, i) => all + (m === 0 ? 0 : costs[i]![m - 1]!), 0);
        return { used: given.filter((m) => m > 0).length, sum };
      });
      const [best] = scores.sort((a, b) => a.used - b.used || a.sum - b.sum);
      const found = split(partsOf(costs), division);
      expect(found && { used: found.shares.length, sum: found.cost }).toEqual(best);
      if (!found) return;
      const given = costs.map((_, i) => {
        const shares = found.shares.filter(({ part }) => part === i);
        expect(shares.length).toBeLessThanOrEqual(1);
        return shares[0]?.members ?? 0;
      });
      expect([...divisions(costs, division)]).toContainEqual(given);
      if (found.shares.length > 1) apart += 1;
    }),
    RUNS,
  );
  expect(apart).toBeGreaterThan(RUNS.numRuns / 20);
});

test("the most that fit is the largest count that divides", () => {
  fc.assert(
    fc.property(anyParts, anyDivision, (costs, division) => {
      const parts = partsOf(costs);
      let most = 50;
      while (most > 0 && !split(parts, { ...division, count: most })) most -= 1;
      expect(mostOf(parts, division)).toBe(most);
    }),
    RUNS,
  );
});

test("the largest shares come first, and that with the shorter run last", () => {
  const parts = partsOf([
    [1, 1, 1],
    [1, 1, 1, 1, 9],
    [1, 1],
  ]);
  const all = split(parts, { count: 10, segmentSize: 1, maxParts: 3 });
  expect(all?.shares.map(({ members }) => members)).toEqual([5, 3, 2]);
  const runs = split(parts, { count: 9, segmentSize: 2, maxParts: 3 });
  expect(runs?.shares.map(({ members }) => members)).toEqual([4, 2, 3]);
});
