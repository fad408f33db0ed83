// Tests of what operators are shown of a machine's warnings, whatever its agent says.
import { expect, test } from "vitest";
import type { NodeInventory } from "./node.js";
import { shownWarnings, WARNINGS_SHOWN_MAX } from "./node-warning.js";

function shown(warnings: NodeInventory["warnings"]) {
  return shownWarnings({ warnings } as NodeInventory);
}

test("a warning is told in lines of bounded length", () => {
  const long = "x".repeat(5_000);
  const [told] = shown([{ kind: `a\n${long}`, deviceId: `b\u2028${long}`, message: `c\0${long}` }]);
  expect(told?.kind).toMatch(/^a x{62}$/);
  expect(told?.deviceId).toMatch(/^b x{126}$/);
  expect(told?.message).toMatch(/^c x{254}$/);
});

test("of many warnings the first are shown", () => {
  const many = Array.from({ length: WARNINGS_SHOWN_MAX + 1 }, (_, k) => {
    return { kind: "strange-name", deviceId: "", message: `${k}` };
  });
  expect(shown(many)).toEqual(many.slice(0, -1));
});
