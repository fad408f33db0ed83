// The least of many numbers, against going through them all.
import { seededRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import { Tournament } from "./tournament.js";

test.each([1, 2, 31, 32, 33, 1_023, 1_024, 1_025, 40_000])(
  "of %i numbers it knows where the least comes first from anywhere",
  (count) => {
    const rng = seededRng(`tournament/${count}`);
    const tree = new Tournament(count, 9);
    const plain = Array.from({ length: count }, () => 9);
    // Most changes are to a few numbers, so that the least ones go up as often as down.
    const some = Array.from({ length: 40 }, () => rng.int(count));
    for (let round = 0; round < 3_000; round++) {
      for (let changes = rng.int(4); changes > 0; changes--) {
        const at = rng.int(4) === 0 ? rng.int(count) : (some[rng.int(some.length)] ?? 0);
        plain[at] = rng.int(3) === 0 ? 9 : rng.int(1_000);
        tree.set(at, plain[at]);
        expect(tree.at(at)).toBe(plain[at]);
      }
      const least = plain.reduce((a, b) => Math.min(a, b));
      const start = rng.int(count);
      const after = plain.indexOf(least, start);
      expect(tree.leastFrom(start)).toBe(after < 0 ? plain.indexOf(least) : after);
    }
  },
);

test("of no numbers the first is named, which is larger than any", () => {
  const tree = new Tournament(0, 9);
  expect(tree.at(tree.leastFrom(0))).toBe(2 ** 31 - 1);
});
