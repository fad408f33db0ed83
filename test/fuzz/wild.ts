// Random and mutated messages, encoded: what a broken, newer or hostile client could send. The same
// seed gives the same messages. Knows descriptors, no RPC.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Numbers from 0 up to 1, the same for the same seed. */
export type Dice = () => number;

/** Mulberry32: quick, and good enough to break things with. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function below(roll: Dice, count: number): number {
  return Math.floor(roll() * count);
}

export function pick<T>(roll: Dice, from: readonly T[]): T {
  return from[below(roll, from.length)]!;
}

const HUGE = 60_000;
const DEEP = 20_000;
const BAD_UTF8 = Buffer.from([0x61, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]);
const TEXTS: readonly Buffer[] = [
  ...["", "__proto__", "constructor", "toString", "a\0b", "\u202e", "💥".repeat(30), " ", "-", "İ"],
  ...["10.0.0.0/24", "10.0.0.4", "255.255.255.255", "999.1.1.1", "0.0.0.0/0", "10.0.0.0/99"],
  ...["'; DROP TABLE x; --", "../../etc/passwd", "%s%n", "9".repeat(400), "1e999", "NaN", "null"],
  ...['{"__proto__":{"polluted":1}}', "[".repeat(5_000), '{"metadata":{"generation":1e400}}'],
  ...["W10.x", "e30.e30", "a.b.c", "created_at desc", "name desc", "a".repeat(64), "update_mask"],
  ...["0d0a2f5e-43a6-4f0c-9d7f-0123456789ab", "name", "id", "cluster_network.name"],
]
  .map((text) => Buffer.from(text))
  .concat(BAD_UTF8, Buffer.alloc(HUGE, "a"), Buffer.alloc(HUGE, 0xff));
const NUMBERS = [
  ...[
    0n,
    1n,
    -1n,
    7n,
    8n,
    64n,
    100n,
    256n,
    2n ** 31n - 1n,
    -(2n ** 31n),
    2n ** 53n,
    2n ** 53n + 1n,
  ],
  ...[2n ** 63n - 1n, -(2n ** 63n), 253402300800n, -62135596801n],
];

/** What messages are made from: `texts` are values that mean something to the server. */
export interface Soil {
  readonly roll: Dice;
  readonly texts: readonly string[];
  /** Texts by the name of the field that they belong in. */
  readonly known: Readonly<Record<string, string>>;
  /** How likely a value is any instead of one that belongs there, 0 to 1. */
  readonly madness: number;
}

/** A message of any content that still follows its descriptor, mostly. */
export function wildMessage(soil: Soil, message: DescMessage, depth = 0): Uint8Array {
  const writer = new BinaryWriter();
  for (const field of message.fields) {
    const many = field.fieldKind === "list" || field.fieldKind === "map";
    const count = soil.roll() < 0.4 ? 0 : many ? below(soil.roll, 5) : 1;
    for (let i = 0; i < count; i++) writeWild(writer, soil, { field, depth });
  }
  if (soil.roll() < 0.2) writeUnknown(writer, soil.roll);
  return writer.finish();
}

function writeWild(
  writer: BinaryWriter,
  soil: Soil,
  at: { readonly field: DescField; readonly depth: number },
): void {
  const { field, depth } = at;
  const { roll } = soil;
  if (roll() < soil.madness / 20) {
    // A wire type that the field does not have.
    writer.tag(field.number, WireType.Bit32).fixed32(below(roll, 2 ** 32));
    return;
  }
  const scalar = field.fieldKind === "map" ? undefined : field.scalar;
  if (field.message) {
    const bytes = depth > 6 ? new Uint8Array() : wildMessage(soil, field.message, depth + 1);
    writer.tag(field.number, WireType.LengthDelimited).bytes(bytes);
  } else if (field.fieldKind === "map") {
    const entry = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(text(soil, ""));
    entry.tag(2, WireType.LengthDelimited).bytes(text(soil, ""));
    writer.tag(field.number, WireType.LengthDelimited).bytes(entry.finish());
  } else if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES) {
    writer.tag(field.number, WireType.LengthDelimited).bytes(text(soil, field.name));
  } else {
    const number = roll() < soil.madness ? pick(roll, NUMBERS) : below(roll, 10);
    writer.tag(field.number, WireType.Varint).int64(number);
  }
}

function text({ roll, texts, known, madness }: Soil, field: string): Uint8Array {
  if (roll() >= madness) return Buffer.from(known[field] ?? "");
  return roll() < 0.5 ? Buffer.from(pick(roll, texts)) : pick(roll, TEXTS);
}

function writeUnknown(writer: BinaryWriter, roll: Dice): void {
  const number = 1_000 + below(roll, 1_000);
  if (roll() < 0.05) {
    // Groups within groups: the decoder has to skip them all.
    for (let i = 0; i < DEEP; i++) writer.tag(number, WireType.StartGroup);
    for (let i = 0; i < DEEP; i++) writer.tag(number, WireType.EndGroup);
  } else {
    writer.tag(number, WireType.LengthDelimited).bytes(pick(roll, TEXTS));
  }
}

/** The bytes with something done to them. */
export function mutated(roll: Dice, bytes: Uint8Array): Uint8Array {
  let made = Buffer.from(bytes);
  for (let times = 1 + below(roll, 4); times > 0; times--) made = mutatedOnce(roll, made);
  return made;
}

function mutatedOnce(roll: Dice, bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const at = below(roll, bytes.length + 1);
  const end = at + below(roll, bytes.length - at + 1);
  const copy = Buffer.from(bytes);
  switch (below(roll, 7)) {
    case 0:
      if (at < copy.length) copy[at] = copy[at]! ^ (1 << below(roll, 8));
      return copy;
    case 1:
      if (at < copy.length) copy[at] = below(roll, 256);
      return copy;
    case 2:
      return copy.subarray(0, at);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(end)]);
    case 4:
      return Buffer.concat([copy, copy.subarray(at, end)]);
    case 5:
      return Buffer.concat([copy.subarray(0, at), noise(roll, 16), copy.subarray(at)]);
    default:
      return Buffer.concat([copy.subarray(0, at), pick(roll, TEXTS), copy.subarray(at)]);
  }
}

/** Up to `max` bytes without any sense. */
export function noise(roll: Dice, max: number): Buffer<ArrayBuffer> {
  return Buffer.from(Array.from({ length: below(roll, max) }, () => below(roll, 256)));
}
