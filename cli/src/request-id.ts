// Request ids make a repeated create safe. It knows no request.
import type { Rng } from "@railyard/lib/rng";

/** A random UUID (version 4). */
export function newRequestId(rng: Rng): string {
  const bytes = Buffer.from(rng.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join("-");
}
