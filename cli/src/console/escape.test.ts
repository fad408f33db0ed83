// Tests of the key that leaves a console.
import { expect, test } from "vitest";
import { beforeEscape, escapeByte } from "./escape.js";

test.each([
  ["^]", 0x1d],
  ["^a", 1],
  ["^A", 1],
  ["^@", 0],
  ["none", undefined],
])("%s is understood", (text, byte) => {
  expect(escapeByte(text)).toBe(byte);
});

test.each(["", "]", "^", "^1", "ctrl-a"])("%j is refused", (text) => {
  expect(() => escapeByte(text)).toThrow("must be a control key");
});

test("what was typed before the key still counts, what comes after does not", () => {
  const typed = Buffer.from("exit\r\x1dmore");
  const { bytes, leaves } = beforeEscape(typed, 0x1d);
  expect([Buffer.from(bytes).toString(), leaves]).toEqual(["exit\r", true]);
  expect(beforeEscape(typed, undefined)).toEqual({ bytes: typed, leaves: false });
});
