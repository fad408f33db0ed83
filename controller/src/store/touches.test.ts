// Tests of what listeners hear of a part and of the batch that it belongs to.
import { expect, test } from "vitest";
import { type Touch, Touches } from "./touches.js";

function heard() {
  const touches = new Touches();
  const all: Touch[] = [];
  touches.listen((touch) => all.push(touch));
  return { touches, all };
}

test("what is undone is told again without its row, only that of the part or of the batch", () => {
  const { touches, all } = heard();
  const [a, b] = ["a", "b"].map((id) => ({ kind: "node", id, row: { id } }));
  touches.touched(a!);
  touches.partDone();
  touches.touched(b!);
  touches.partUndone();
  expect(all.splice(0)).toEqual([a, b, { kind: "node", id: "b" }]);
  touches.batchUndone();
  expect(all.splice(0)).toEqual([{ kind: "node", id: "a" }]);
  touches.touched(b!);
  touches.partDone();
  touches.batchDone();
  touches.batchUndone();
  expect(all).toEqual([b]);
});

test("a part may touch more than a call has arguments", () => {
  const { touches, all } = heard();
  const many = 300_000;
  for (let i = 0; i < many; i++) touches.touched({ kind: "reservedIp", id: `${i}` });
  touches.partDone();
  all.splice(0);
  touches.batchUndone();
  expect(all).toHaveLength(many);
});
