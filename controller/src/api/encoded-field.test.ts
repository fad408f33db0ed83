// Tests that messages put around bytes are what the generated code makes of them.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { inField } from "./encoded-field.js";

test("any number of messages of any length are framed as the generated code frames them", () => {
  const messages = [0, 1, 127, 128, 300, 16_383, 16_384, 70_000].map((n) => Buffer.alloc(n, n));
  for (const number of [1, 15, 16, 3_000]) {
    const writer = new BinaryWriter();
    for (const message of messages) {
      writer.tag(number, WireType.LengthDelimited).bytes(message);
    }
    const wanted = Buffer.from(writer.finish());
    expect(inField(number, messages).equals(wanted)).toBe(true);
    const others = Buffer.from("others");
    const both = Buffer.concat([wanted, others]);
    expect(inField(number, messages, others).equals(both)).toBe(true);
  }
  expect(inField(1, []).length).toBe(0);
});
