// Shows what is understood of lldpcli's several shapes.
import { expect, test } from "vitest";
import { parseNeighbours } from "./neighbours.js";

const named = (leaf: string) => ({ chassis: { [leaf]: { id: { type: "mac", value: "aa" } } } });
const seen = (shown: unknown) => [...parseNeighbours(JSON.stringify({ lldp: shown }))];

test("one interface comes as an object, several as a list", () => {
  expect(seen({ interface: { eth0: named("leaf-a1") } })).toEqual([["eth0", "leaf-a1"]]);
  expect(seen({ interface: [{ eth0: named("leaf-a1") }, { eth1: named("leaf-a2") }] })).toEqual([
    ["eth0", "leaf-a1"],
    ["eth1", "leaf-a2"],
  ]);
});

test("no neighbour at all is an empty answer", () => {
  expect(seen({})).toEqual([]);
});

test("a switch without a name is told by its id", () => {
  expect(
    seen({ interface: { eth0: { chassis: { id: { type: "mac", value: "aa:bb" } } } } }),
  ).toEqual([["eth0", "aa:bb"]]);
});

test("an interface that sees two switches has no certain neighbour", () => {
  expect(seen({ interface: [{ eth0: named("leaf-a1") }, { eth0: named("leaf-b1") }] })).toEqual([]);
});

test("an answer that is not JSON is a failure", () => {
  expect(() => parseNeighbours("lldpd is not running")).toThrow(
    expect.objectContaining({ code: "unavailable" }),
  );
});
