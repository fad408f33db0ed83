// One way to turn plain data into bytes, alike on every side, so that a digest computed by the
// controller and one computed by an agent can be compared. Knows nothing of what the data means.
import { createHash } from "node:crypto";
import { bug } from "./errors.js";

export type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | { readonly [key: string]: Plain | undefined };

/**
 * Canonical JSON: keys sorted by code unit, no spaces, absent members dropped, whole numbers only.
 */
export function canonicalJson(value: Plain): string {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw bug("canonical data holds a number that is not a safe integer");
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((v: Plain) => canonicalJson(v)).join(",")}]`;
  const record = value as { readonly [key: string]: Plain | undefined };
  const members = Object.keys(record)
    .sort()
    .flatMap((key) => {
      const member = record[key];
      return member === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(member)}`];
    });
  return `{${members.join(",")}}`;
}

/** Lower-case hexadecimal SHA-256. */
export function sha256Hex(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}
