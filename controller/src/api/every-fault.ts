// Joins what is wrong with the form of a request and what its use case finds wrong with the rest,
// so that one refusal names every bad field. Knows no noun.
import { asRailyardError, type ErrorCode, invalid, RailyardError } from "@railyard/lib/errors";

/** Refusals that are about the request, not about the state of the service. */
const ABOUT_FIELDS: readonly ErrorCode[] = ["invalid", "notFound", "exists", "precondition"];

/**
 * The refusal of a malformed mutation. `dryRun` is the use case, told to write nothing: of what it
 * refuses, fields at or below one that is malformed already are left out. A bug that it meets is
 * kept as the refusal's cause, for the log.
 */
export async function everyFault(
  malformed: RailyardError,
  dryRun: () => Promise<unknown>,
): Promise<RailyardError> {
  const { fields = [] } = malformed.parts;
  const known = (field: string) =>
    fields.some((bad) => field === bad.field || /^[.[]/.test(below(field, bad.field)));
  try {
    await dryRun();
    return malformed;
  } catch (thrown) {
    const met = asRailyardError(thrown);
    const { code } = met;
    if (code === "bug") {
      const parts = { ...malformed.parts, cause: met };
      return new RailyardError(malformed.code, malformed.message, parts);
    }
    const found = ABOUT_FIELDS.includes(code) ? (met.parts.fields ?? []) : [];
    const more = found.filter(({ field }) => !known(field));
    return more.length > 0 ? invalid([...fields, ...more]) : malformed;
  }
}

/** The rest of a field's path below `path`; empty when it is not below it. */
function below(field: string, path: string): string {
  return field.startsWith(path) ? field.slice(path.length) : "";
}
