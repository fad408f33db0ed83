// Values of the contract as people write them: enum words, counts, times, references. It knows no
// noun.
import { invalidField } from "@railyard/lib/errors";

/** An enum as generated: names to numbers and back. */
export type EnumOf = Readonly<Record<string | number, string | number>>;

/** `RUNNING` of `INSTANCE_STATUS_RUNNING` as `running`; empty for "not said". */
export function wordOf(names: EnumOf, value: number): string {
  if (value === 0) return "";
  const name = names[value];
  return typeof name === "string" ? toWord(names, name) : `unknown-${value}`;
}

/** The number behind a word; throws `invalid` naming `field` and listing the words. */
export function enumValueOf(names: EnumOf, word: string, field: string): number {
  const words = wordsOf(names);
  const found = words.get(word.replaceAll("_", "-"));
  if (found === undefined) {
    throw invalidField(field, `must be one of ${[...words.keys()].join(", ")}`);
  }
  return found;
}

/** Every word that a flag takes for an enum, such as `tenant-editor`, and its number. */
export function wordsOf(names: EnumOf): ReadonlyMap<string, number> {
  const words = new Map<string, number>();
  for (const [name, value] of Object.entries(names)) {
    if (typeof value === "number" && value > 0) {
      words.set(toWord(names, name).replaceAll("_", "-"), value);
    }
  }
  return words;
}

function toWord(names: EnumOf, name: string): string {
  const prefix = String(names[0]).replace(/UNSPECIFIED$/, "");
  return name.replace(prefix, "").toLowerCase();
}

/** `2026-03-01T10:00:00Z`, or empty. */
export function timeOf(at: Date | undefined): string {
  return at ? at.toISOString().replace(/\.\d+Z$/, "Z") : "";
}

/** A number, or empty when absent. */
export function countOf(value: number | bigint | undefined): string {
  return value === undefined ? "" : String(value);
}

export function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

/** Names an object that is referred to; one that is gone says so. */
export function nameOf(
  ref: { readonly name: string; readonly id: string; readonly deleted: boolean } | undefined,
): string {
  if (!ref) return "";
  return `${ref.name || ref.id}${ref.deleted ? " (deleted)" : ""}`;
}

/** Reasons as `code: message`, one a line. */
export function reasonsOf(
  names: EnumOf,
  reasons: readonly { readonly code: number; readonly message: string }[],
): string {
  return reasons.map(({ code, message }) => `${wordOf(names, code)}: ${message}`).join("\n");
}
