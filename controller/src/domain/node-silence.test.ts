// When silence counts as suspect, as lost, and as the listener's own trouble.
import { expect, test } from "vitest";
import { type Heard, isMassSilence, shareOf, silenceAfter, verdictOn } from "./node-silence.js";

const well: Heard = { known: undefined, isFenced: false, silentMs: 50, isFresh: true };
const silent: Heard = { ...well, silentMs: 51 };
const suspect: Heard = { ...well, known: "suspect", silentMs: 101, isFresh: false };
const lost: Heard = { ...well, known: "lost", silentMs: 301, isFresh: false };
const isMass = (...fleet: Heard[]) => {
  const shares = fleet.map((node) => shareOf(node, 100));
  const counted = shares.filter(({ isCounted }) => isCounted).length;
  return isMassSilence({ counted, quiet: shares.filter(({ isQuiet }) => isQuiet).length });
};

test("a node is suspect once its lease is over and lost after three lease times", () => {
  const states = [0, 100, 101, 300, 301].map((ms) => silenceAfter(ms, 100));
  expect(states).toEqual([undefined, undefined, "suspect", "suspect", "lost"]);
});

test("silence of more than half of the fleet, three nodes at least, condemns nobody", () => {
  expect(isMass(silent, silent)).toBe(false);
  expect(isMass(silent, silent, silent)).toBe(true);
  expect(isMass(silent, suspect, silent, well, well)).toBe(true);
  expect(isMass(silent, silent, silent, well, well, well)).toBe(false);
});

test("nodes that were lost before say nothing about the fleet now, nor do fenced ones", () => {
  expect(isMass(lost, lost, lost, silent, silent)).toBe(false);
  expect(isMass(lost, lost, lost, well, well, silent)).toBe(false);
  const fenced = { ...silent, isFenced: true };
  expect(isMass(fenced, silent, silent)).toBe(false);
  expect(isMass(fenced, fenced, fenced, silent, silent, silent, well, well)).toBe(true);
});

test("only what is new about a node is written down", () => {
  const verdict = (over: Partial<Heard>) => verdictOn({ ...suspect, ...over }, 100);
  expect(verdict({ known: undefined })).toBe("suspect");
  expect(verdict({})).toBeUndefined();
  expect(verdict({ silentMs: 301 })).toBe("lost");
  expect(verdict({ known: "lost" })).toBeUndefined();
  expect(verdict({ known: undefined, isFenced: true })).toBeUndefined();
  expect(verdict({ isFresh: true })).toBe("heard");
  expect(verdict({ isFresh: true, isFenced: true })).toBe("heard");
  expect(verdict({ isFresh: true, known: undefined })).toBeUndefined();
  expect(verdict({ silentMs: 0 })).toBeUndefined();
});
