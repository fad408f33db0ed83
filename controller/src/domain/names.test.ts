// Tests of names: what the contract's pattern means, and that random names keep to it.
import { seededRng } from "@railyard/lib/rng";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Faults } from "./faults.js";
import { checkName, isName, namesTogether, randomName, WORDS } from "./names.js";

test("the word list holds 256 different words that keep any four within a name", () => {
  expect(new Set(WORDS).size).toBe(256);
  expect(WORDS.every((word) => /^[a-z]{3,7}$/.test(word))).toBe(true);
});

test("random names are well formed, and the same for the same seed", () => {
  fc.assert(
    fc.property(fc.string(), (seed) => {
      const name = randomName(seededRng(seed));
      expect(name.split("-")).toHaveLength(4);
      expect(isName(name)).toBe(true);
      expect(randomName(seededRng(seed))).toBe(name);
    }),
  );
});

test("names of what is made together are well formed, and begin with the same two words", () => {
  const draw = namesTogether(seededRng("together"));
  const names = Array.from({ length: 100 }, draw);
  expect(new Set(names.map((name) => name.split("-").slice(0, 2).join("-"))).size).toBe(1);
  expect(new Set(names).size).toBeGreaterThan(90);
  expect(names.every((name) => isName(name) && name.split("-").length === 4)).toBe(true);
});

test("a name is 1 to 63 of a-z 0-9 and hyphens, not only digits, no hyphen at either end", () => {
  const characters = fc.constantFrom(..."abz059-A_.");
  fc.assert(
    fc.property(fc.string({ unit: characters, maxLength: 70 }), (text) => {
      const plain = /^[-a-z0-9]{1,63}$/.test(text) && !/^-|-$/.test(text) && !/^[0-9]+$/.test(text);
      expect(isName(text)).toBe(plain);
    }),
  );
});

test("names of the provider are refused with a reason of their own", () => {
  for (const name of ["ibm-x", "railyard-1"]) {
    const faults = new Faults();
    expect(checkName(faults, "name", name)).toBe(false);
    expect(() => faults.throwIfAny()).toThrow(expect.objectContaining({ reason: "NAME_RESERVED" }));
  }
  expect(checkName(new Faults(), "name", "ibmx")).toBe(true);
});
