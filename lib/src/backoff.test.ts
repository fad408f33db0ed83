// Proves the bounds of the back-off.
import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs, DEFAULT_BACKOFF } from "./backoff.js";
import { seededRng } from "./rng.js";

test("a wait grows with the tries, is jittered, and never passes its maximum", () => {
  const rng = seededRng("x");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000 }), (attempt) => {
      const full = Math.min(DEFAULT_BACKOFF.maxMs, DEFAULT_BACKOFF.baseMs * 2 ** attempt);
      const wait = backoffMs(attempt, rng);
      expect(wait).toBeGreaterThanOrEqual(Math.floor(full / 2));
      expect(wait).toBeLessThanOrEqual(full);
    }),
  );
});
