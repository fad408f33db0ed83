// Encodes messages with one writer: it keeps its memory from message to message, where one of each
// message's own grows several times. Knows no message.
import { BinaryWriter } from "@bufbuild/protobuf/wire";

interface MessageType<Message> {
  encode(message: Message, writer: BinaryWriter): BinaryWriter;
}

let writer = new BinaryWriter();

/** The message, encoded. */
export function encode<Message>(type: MessageType<Message>, message: Message): Uint8Array {
  try {
    return type.encode(message, writer).finish();
  } catch (err) {
    // What was written of it stays in the writer.
    writer = new BinaryWriter();
    throw err;
  }
}
