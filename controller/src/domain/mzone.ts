// The mzone document: what release engineering declares about the physical side. Here it is checked
// as a whole; shape, references, objects and plan each have a file in mzone/.
import type { FieldViolation } from "@railyard/lib/errors";
import { Faults } from "./mzone/checker.js";
import type { Mzone } from "./mzone/document.js";
import { checkReferences } from "./mzone/references.js";
import { mzoneShape } from "./mzone/shape.js";

export type MzoneCheck =
  | { readonly ok: true; readonly mzone: Mzone }
  | { readonly ok: false; readonly violations: readonly FieldViolation[] };

/**
 * Checks a decoded document in full: every bad field at once, under paths such as
 * `zones[0].servers[3].serial`; members that are not known are bad fields.
 */
export function checkMzone(document: unknown): MzoneCheck {
  const faults = new Faults();
  const mzone = mzoneShape(document, "", faults);
  checkReferences(mzone, faults);
  const violations = faults.list;
  return violations.length === 0 ? { ok: true, mzone } : { ok: false, violations };
}
