// A field of a response whose messages are encoded already, as the store keeps them: written around
// their bytes instead of decoding and encoding them again. Knows no message.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** The messages as field `number` of a response that has no other field, or others to follow. */
export function inField(number: number, messages: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const message of messages) {
    writer.tag(number, WireType.LengthDelimited).bytes(message);
  }
  return writer.finish();
}
