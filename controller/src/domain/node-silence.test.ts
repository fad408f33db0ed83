// When silence counts as suspect, as lost, and as the listener's own trouble.
import { expect, test } from "vitest";
import { type Heard, isMassSilence, silenceAfter } from "./node-silence.js";

const well: Heard = { known: undefined, silentMs: 50 };
const silent: Heard = { known: undefined, silentMs: 51 };
const suspect: Heard = { known: "suspect", silentMs: 101 };
const lost: Heard = { known: "lost", silentMs: 301 };
const isMass = (...fleet: Heard[]) => isMassSilence(fleet, 100);

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

test("nodes that were lost before say nothing about the fleet now", () => {
  expect(isMass(lost, lost, lost, silent, silent)).toBe(false);
  expect(isMass(lost, lost, lost, well, well, silent)).toBe(false);
});
