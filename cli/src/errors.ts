// Says an error to people: one line for what and why, then one for each thing that is wrong or in
// the way. It knows nothing of gRPC or of commands.
import type { FieldViolation, RailyardError } from "@railyard/lib/errors";

/** Says one bad field in one line; commands that read a file say where in it the field stands. */
export type Describe = (violation: FieldViolation) => string;

/** The lines to print for `error`. */
export function errorLines(error: RailyardError, describe: Describe = asField): string[] {
  const { parts } = error;
  const { fields = [], holders = [], quota, retryAfterMs } = parts;
  return [
    `railctl: ${summary(error)}`,
    ...fields.map(describe),
    ...more(fields.length, parts.metadata?.violations, "fields"),
    ...holders.map(({ type, id }) => `  held by ${type} ${id}`.trimEnd()),
    ...more(holders.length, parts.metadata?.holders, "holders"),
    ...(quota ? [`  quota ${quota.subject}: ${quota.used} of ${quota.limit} used`] : []),
    ...(retryAfterMs === undefined
      ? []
      : [`  trying again can help in ${seconds(retryAfterMs)} s`]),
    ...hints(error),
  ];
}

// A server that names very many says how many there are.
function more(shown: number, all: string | undefined, what: string): string[] {
  const left = Number(all ?? 0) - shown;
  return left > 0 ? [`  … and ${left} more ${what}`] : [];
}

function asField({ field, description }: FieldViolation): string {
  return `  ${field}: ${description}`;
}

function summary({ code, reason, message, parts }: RailyardError): string {
  if (code === "bug" && !parts.metadata) return `unexpected: ${message}${causeOf(parts.cause)}`;
  const count = Number(parts.metadata?.violations ?? parts.fields?.length ?? 0);
  // The server's message repeats every field; the lines below say it better.
  const what =
    code === "invalid" && count > 0 ? `${count} ${count === 1 ? "problem" : "problems"}` : message;
  return `${reason}: ${what}`;
}

function causeOf(cause: unknown): string {
  return cause instanceof Error ? `: ${cause.message}` : "";
}

function seconds(ms: number): number {
  return Math.ceil(ms / 100) / 10;
}

function hints({ code, reason }: RailyardError): string[] {
  if (code === "unauthenticated") return ["  set RAILYARD_TOKEN or give --token-file"];
  if (reason === "ETAG_MISMATCH") return ["  read it again, then repeat with the new etag"];
  return [];
}
