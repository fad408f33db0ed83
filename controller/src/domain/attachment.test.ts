// Tests of where positions land, held to the contract's formulas and to what must be true of any
// landing.
import fc from "fast-check";
import { expect, test } from "vitest";
import { landings, logicalPlaces } from "./attachment.js";
import type { ClusterNetworkProfile, InstanceProfile } from "./profile.js";

const shapes = fc.record({
  pairs: fc.integer({ min: 1, max: 16 }),
  per: fc.integer({ min: 1, max: 4 }),
  layout: fc.constantFrom("blocked" as const, "strided" as const),
});

test("every pair gets as many positions, shares follow position order, speed is divided", () => {
  fc.assert(
    fc.property(shapes, ({ pairs, per, layout }) => {
      const lands = landings({ count: pairs * per, pairs, nicSpeedGbps: 400, layout });
      expect(lands.map((l) => l.position)).toEqual(lands.map((_, i) => i));
      for (let pair = 0; pair < pairs; pair++) {
        const here = lands.filter((l) => l.pair === pair);
        expect(here.map((l) => l.share)).toEqual(Array.from({ length: per }, (_, i) => i));
        const sum = here.reduce((all, l) => all + l.rateMbps, 0);
        expect(here.every((l) => Number.isInteger(l.rateMbps))).toBe(true);
        expect([sum <= 400_000, sum > 400_000 - per]).toEqual([true, true]);
      }
    }),
  );
});

test("blocked puts neighbours on one pair, strided goes round", () => {
  const shape = { count: 16, pairs: 8, nicSpeedGbps: 400 };
  const pairsOf = (layout: "blocked" | "strided") =>
    landings({ ...shape, layout }).map((l) => l.pair);
  expect(pairsOf("blocked").slice(0, 5)).toEqual([0, 0, 1, 1, 2]);
  expect(pairsOf("strided").slice(0, 9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0]);
});

test("a count that does not divide lands nowhere", () => {
  expect(landings({ count: 9, pairs: 8, nicSpeedGbps: 400, layout: "blocked" })).toEqual([]);
  expect(landings({ count: 8, pairs: 0, nicSpeedGbps: 400, layout: "blocked" })).toEqual([]);
});

const profile = {
  gpu: { manufacturer: "NVIDIA", model: "H100", count: 8, memoryGib: 80 },
  attachments: { kind: "enum", values: [8, 16] },
  attachmentLayout: "blocked",
} as unknown as InstanceProfile;
const network = { rails: 8, speedGbps: 400 } as ClusterNetworkProfile;

test("whole-node profiles know their rails before they are placed, parts of a node do not", () => {
  const shape = { count: 16, profile, network, rails: undefined };
  expect(logicalPlaces(shape)[3]).toEqual({ rail: 1, gpuIndex: 1, nicIndex: 1, speedGbps: 200 });
  const part = { ...shape, network: { ...network, rails: 16 } };
  expect(logicalPlaces(part)[3]?.rail).toBeUndefined();
  const fixed = { ...part, rails: [4, 5, 6, 7, 8, 9, 10, 11] };
  expect(logicalPlaces(fixed)[3]?.rail).toBe(5);
});

test("while the count is not a permitted one there is no logical place", () => {
  expect(logicalPlaces({ count: 24, profile, network, rails: undefined })).toEqual([]);
});
