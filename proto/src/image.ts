// The contract as data: the descriptor image that is generated beside the code, from which limits
// and reflection are read. Knows nothing of what is in it.
import { readFileSync } from "node:fs";

/** A serialised google.protobuf.FileDescriptorSet of every file of the contract and its imports. */
export function contractImage(): Uint8Array {
  return readFileSync(new URL("./gen/image.binpb", import.meta.url));
}
