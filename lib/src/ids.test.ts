// Proves the shape of ids and that bad ones are refused by field.
import { expect, test } from "vitest";
import { isId, newEtag, newId, newIds, parseId } from "./ids.js";
import { seededRng, systemRng } from "./rng.js";

test("a new id has the shape of an id and its noun's prefix", () => {
  const id = newId("clusterNetwork", systemRng());
  expect(isId(id)).toBe(true);
  expect(id).toMatch(/^cn-[0-9a-z]{24}$/);
});

test("ids of what is made together are different and begin alike", () => {
  const ids = newIds("interface", systemRng(), 8);
  expect(new Set(ids).size).toBe(8);
  for (const id of ids) expect(id).toMatch(/^cni-[0-9a-z]{24}$/);
  expect(new Set(ids.map((id) => id.slice(0, -12))).size).toBe(1);
});

test("ids and etags come from the generator alone", () => {
  expect(newId("node", seededRng("x"))).toBe(newId("node", seededRng("x")));
  expect(newEtag(seededRng("x"))).toBe(newEtag(seededRng("x")));
});

test("what has not the shape of an id is refused, naming the field", () => {
  for (const text of ["", "UPPER", "a.b", "a b", "a".repeat(65), "a>*"]) {
    expect(() => parseId("subnet", text, "subnet_id"), text).toThrow(/subnet_id/);
  }
});
