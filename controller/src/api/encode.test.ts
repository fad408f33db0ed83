// Proves that messages which share a writer do not mix.
import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Reference } from "@railyard/proto/gen/railyard/v1/resource";
import { expect, test } from "vitest";
import { encode } from "./encode.js";

const of = (name: string) => Reference.fromPartial({ id: "vpc-1", name });

test("a message is encoded as by a writer of its own, whatever was encoded before", () => {
  const long = of("x".repeat(5_000));
  for (const message of [of("a"), long, of("b")]) {
    expect(encode(Reference, message)).toEqual(Reference.encode(message).finish());
  }
});

test("what is encoded later does not change bytes that were handed out", () => {
  const first = encode(Reference, of("first"));
  encode(Reference, of("other"));
  expect(Reference.decode(first).name).toBe("first");
});

test("a message that fails half way leaves nothing behind", () => {
  const broken = {
    encode(_: Reference, writer: BinaryWriter): BinaryWriter {
      writer.uint32(10).string("half");
      throw new Error("broken");
    },
  };
  expect(() => encode(broken, of("a"))).toThrow("broken");
  expect(encode(Reference, of("a"))).toEqual(Reference.encode(of("a")).finish());
});
