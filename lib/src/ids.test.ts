// Proves the shape of ids and that bad ones are refused by field.
import { expect, test } from "vitest";
import { isId, newEtag, newId, newIds, parseId } from "./ids.js";
import { seededRng, systemRng } from "./rng.js";

test("a new id has the shape of an id and its noun's prefix", () => {
  const id = newId("clusterNetwork", { at: 1_795_000_000_000, rng: systemRng() });
  expect(isId(id)).toBe(true);
  expect(id).toMatch(/^cn-[0-9a-z]{24}$/);
});

test("ids of what is made together are different", () => {
  const ids = newIds("interface", { at: 1, rng: systemRng() }, 8);
  expect(new Set(ids).size).toBe(8);
  for (const id of ids) expect(id).toMatch(/^cni-[0-9a-z]{24}$/);
});

test("later ids sort behind earlier ones, whatever the millisecond", () => {
  const times = [0, 1, 31, 32, 1_795_000_000_000, 1_795_000_000_001, 2 ** 45 - 1];
  const ids = times.map((at) => newId("instance", { at, rng: systemRng() }));
  expect([...ids].sort()).toEqual(ids);
});

test("ids and etags come from what is given alone", () => {
  const id = () => newId("node", { at: 7, rng: seededRng("x") });
  expect(id()).toBe(id());
  expect(newEtag(seededRng("x"))).toBe(newEtag(seededRng("x")));
});

test("what has not the shape of an id is refused, naming the field", () => {
  for (const text of ["", "UPPER", "a.b", "a b", "a".repeat(65), "a>*"]) {
    expect(() => parseId("subnet", text, "subnet_id"), text).toThrow(/subnet_id/);
  }
});
