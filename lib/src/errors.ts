// The one error type of every side: a closed set of codes, a message that is safe to show, a cause
// that is not. It knows nothing of gRPC; controller/src/api turns it into a wire status in one
// place.

/** What kind of refusal this is. Each member maps to exactly one gRPC status. */
export type ErrorCode =
  | "invalid"
  | "notFound"
  | "exists"
  | "conflict"
  | "precondition"
  | "exhausted"
  | "unauthenticated"
  | "forbidden"
  | "unavailable"
  | "deadline"
  | "expired"
  | "unimplemented"
  | "bug";

/** One bad field: a path such as `zones[0].servers[3].serial`, and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** Something the error is about or that stands in the way. */
export interface ResourceRef {
  readonly type: string;
  readonly id: string;
}

/**
 * Everything an error may carry beside its code and message. All but `detail` and `cause` is shown.
 */
export interface ErrorParts {
  /** Machine-readable reason, `UPPER_SNAKE`, a member of the contract's ErrorReason enum. */
  readonly reason?: string;
  readonly fields?: readonly FieldViolation[];
  readonly resource?: ResourceRef;
  readonly holders?: readonly ResourceRef[];
  readonly quota?: { readonly subject: string; readonly limit: number; readonly used: number };
  /** After how many milliseconds a retry can help; absent where it cannot. */
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** For the log only. */
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

const DEFAULT_REASON: Record<ErrorCode, string> = {
  invalid: "FIELD_INVALID",
  notFound: "NOT_FOUND",
  exists: "ALREADY_EXISTS",
  conflict: "CONFLICT",
  precondition: "FAILED_PRECONDITION",
  exhausted: "RESOURCE_EXHAUSTED",
  unauthenticated: "UNAUTHENTICATED",
  forbidden: "FORBIDDEN",
  unavailable: "UNAVAILABLE",
  deadline: "DEADLINE_EXCEEDED",
  expired: "REVISION_TOO_OLD",
  unimplemented: "NOT_IMPLEMENTED",
  bug: "INTERNAL",
};

export class RailyardError extends Error {
  override readonly name = "RailyardError";
  readonly reason: string;

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly parts: ErrorParts = {},
  ) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.reason = parts.reason ?? DEFAULT_REASON[code];
  }
}

/** Every bad field of one request, at once. `fields` must not be empty. */
export function invalid(fields: readonly FieldViolation[], reason?: string): RailyardError {
  const message = fields.map((f) => `${f.field}: ${f.description}`).join("; ");
  return new RailyardError("invalid", message, { fields, ...(reason && { reason }) });
}

/** One bad field. */
export function invalidField(field: string, description: string, reason?: string): RailyardError {
  return invalid([{ field, description }], reason);
}

/** The same text whether the object is missing or belongs to another account. */
export function notFound(type: string, id: string, field?: string): RailyardError {
  return new RailyardError("notFound", `${type} ${id} not found`, {
    resource: { type, id },
    ...(field && { fields: [{ field, description: `${type} ${id} not found` }] }),
  });
}

/** A broken invariant of our own. The message is not shown to callers. */
export function bug(message: string, parts: ErrorParts = {}): RailyardError {
  return new RailyardError("bug", message, parts);
}

/** Makes an error of any other code. */
export function refuse(code: ErrorCode, message: string, parts: ErrorParts = {}): RailyardError {
  return new RailyardError(code, message, parts);
}

/** Collects field violations, then throws them all together. */
export class Violations {
  readonly fields: FieldViolation[] = [];

  add(field: string, description: string): void {
    this.fields.push({ field, description });
  }

  /** Throws `invalid` when at least one violation was added. */
  throwIfAny(): void {
    if (this.fields.length > 0) throw invalid(this.fields);
  }
}

/** Any thrown value as a RailyardError; what is not one already is a bug. */
export function asRailyardError(thrown: unknown): RailyardError {
  if (thrown instanceof RailyardError) return thrown;
  return bug("unexpected error", { cause: thrown });
}
