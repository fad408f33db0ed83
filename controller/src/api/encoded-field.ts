// A field of a response whose messages are encoded already, as the store keeps them: written around
// their bytes instead of decoding and encoding them again. Knows no message.

/** https://protobuf.dev/programming-guides/encoding/#structure */
const LENGTH_DELIMITED = 2;
/** What a byte of a varint carries, and whether another follows. */
const VARINT_BITS = 7;
const VARINT_MORE = 0x80;

/**
 * The messages as field `number` of a response that has no other field; `others` are those that it
 * has, encoded.
 */
export function inField(
  number: number,
  messages: readonly Uint8Array[],
  others?: Uint8Array,
): Buffer {
  const tag = (number << 3) | LENGTH_DELIMITED;
  let bytes = others?.length ?? 0;
  for (const { length } of messages) bytes += varintBytes(tag) + varintBytes(length) + length;
  const out = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const message of messages) {
    at = putVarint(out, at, tag);
    at = putVarint(out, at, message.length);
    out.set(message, at);
    at += message.length;
  }
  if (others) out.set(others, at);
  return out;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= VARINT_MORE; rest >>>= VARINT_BITS) bytes += 1;
  return bytes;
}

/** Answers where the next byte goes. */
function putVarint(out: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest >= VARINT_MORE; rest >>>= VARINT_BITS) out[next++] = (rest & 0x7f) | VARINT_MORE;
  out[next++] = rest;
  return next;
}
