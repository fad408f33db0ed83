// Lengths of time as the wire has them. Knows no field.
import type { Duration } from "@railyard/proto/gen/google/protobuf/duration";

/** Milliseconds; what is below one is cut off. */
export function msOf({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1e6);
}
