// The key that leaves a console, and where it stands in what was typed. Pure.
import { invalidField } from "@railyard/lib/errors";

/** What is typed to leave, as it is written in flags. */
export const DEFAULT_ESCAPE = "^]";

/** The byte of `^]`, `^A` and the like; undefined for `none`. Throws `invalid` for all else. */
export function escapeByte(text: string): number | undefined {
  if (text === "none") return undefined;
  const [, key] = /^\^([@A-Z[\\\]^_])$/i.exec(text) ?? [];
  if (key === undefined) {
    throw invalidField("--escape", "must be a control key such as ^] or ^A, or none");
  }
  return key.toUpperCase().charCodeAt(0) & 0x1f;
}

/** What was typed before the key that leaves, and whether it was there. */
export function beforeEscape(
  bytes: Uint8Array,
  key: number | undefined,
): { readonly bytes: Uint8Array; readonly leaves: boolean } {
  const at = key === undefined ? -1 : bytes.indexOf(key);
  return at < 0 ? { bytes, leaves: false } : { bytes: bytes.subarray(0, at), leaves: true };
}
