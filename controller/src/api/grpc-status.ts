// The one place where an error becomes a gRPC status with its google.rpc details, and the only file
// that names `status`. What must not be shown (causes, details, bugs) ends here.
import {
  Metadata,
  type ServerInterceptingCallInterface,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import {
  bug,
  type ErrorCode,
  type FieldViolation,
  RailyardError,
  refuse,
} from "@railyard/lib/errors";
import type { Any } from "@railyard/proto/gen/google/protobuf/any";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "@railyard/proto/gen/google/rpc/error_details";
import { Status } from "@railyard/proto/gen/google/rpc/status";

/** `ErrorInfo.domain` of every error. */
export const ERROR_DOMAIN = "railyard";
/** Trailing metadata that carries the encoded google.rpc.Status. */
export const DETAILS_KEY = "grpc-status-details-bin";

/** How long to wait before a retry of what may pass by itself, when nothing better is known. */
const RETRY_AFTER_MS: Readonly<Partial<Record<ErrorCode, number>>> = {
  unavailable: 1_000,
  deadline: 1_000,
};
/** Longest message, or text in it, in characters: it travels in a header, percent-encoded. */
const TEXT_CHARS_MAX = 1024;
/** Most bytes of field violations and holders in one error; many clients refuse larger trailers. */
const DETAIL_BYTES_MAX = 6 * 1024;

/** The numeric gRPC code of an error code. */
export function wireCode(code: ErrorCode): status {
  switch (code) {
    case "invalid":
      return status.INVALID_ARGUMENT;
    case "notFound":
      return status.NOT_FOUND;
    case "exists":
      return status.ALREADY_EXISTS;
    case "conflict":
      return status.ABORTED;
    case "precondition":
      return status.FAILED_PRECONDITION;
    case "exhausted":
      return status.RESOURCE_EXHAUSTED;
    case "unauthenticated":
      return status.UNAUTHENTICATED;
    case "forbidden":
      return status.PERMISSION_DENIED;
    case "unavailable":
      return status.UNAVAILABLE;
    case "deadline":
      return status.DEADLINE_EXCEEDED;
    case "expired":
      return status.OUT_OF_RANGE;
    case "unimplemented":
      return status.UNIMPLEMENTED;
    case "bug":
      return status.INTERNAL;
    default:
      throw new RailyardError("bug", `unknown error code ${code satisfies never}`);
  }
}

/** What a call ends with that has its answer. */
export const ENDED_WELL = { code: status.OK, details: "OK" };

/** The name of the gRPC code, such as `NOT_FOUND`, for logs; `OK` without an error. */
export function wireName(code?: ErrorCode): string {
  return status[code === undefined ? status.OK : wireCode(code)];
}

/** What grpc-js sends: code, safe message, and google.rpc.Status in the trailers. */
export function toServiceError(error: RailyardError): ServiceError {
  const code = wireCode(error.code);
  const message = shown(error);
  const metadata = new Metadata();
  const bytes = Status.encode({ code, message, details: detailsOf(error) }).finish();
  metadata.set(DETAILS_KEY, Buffer.from(bytes));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

/** What a call ends with, as grpc-js is told. */
export type Ending = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/**
 * A status as the contract has it, whoever made it: grpc-js ends calls by itself, too, and then
 * says nothing but a code.
 */
export function explained(made: Ending): Ending {
  return made.code === status.OK || made.metadata ? made : toServiceError(errorOf(made));
}

/** What grpc-js (1.14, `server-interceptors`) says of requests that it cannot take in. */
const MALFORMED = /^(Failed to decompress|Invalid grpc-timeout|Error deserializing)/;

function errorOf({ code, details }: Ending): RailyardError {
  switch (code) {
    case status.DEADLINE_EXCEEDED:
      return refuse("deadline", "the call's deadline has passed");
    case status.RESOURCE_EXHAUSTED:
      return refuse("exhausted", "the request is too large", { reason: "MESSAGE_TOO_LARGE" });
    case status.UNIMPLEMENTED:
      return refuse("unimplemented", "the server takes one request of that call, not compressed");
    default:
      if (!MALFORMED.test(details ?? "")) return bug(`grpc-js: ${code} ${details}`);
      return refuse("invalid", "the request is not well formed");
  }
}

/** Half a surrogate pair, as a cut leaves it: percent-encoding throws at one. */
const HALF_PAIR = /\p{Surrogate}/gu;

function shown(error: RailyardError): string {
  return error.code === "bug" ? "internal error" : cut(error.message);
}

/** The text, as much of it as can travel. */
function cut(text: string): string {
  const isLong = text.length > TEXT_CHARS_MAX;
  const kept = isLong ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
  return kept.replace(HALF_PAIR, "\u{fffd}");
}

interface Encoder<T> {
  encode(message: T): { finish(): Uint8Array };
}

function pack<T>(name: string, type: Encoder<T>, message: T): Any {
  const value = Buffer.from(type.encode(message).finish());
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value };
}

function detailsOf(error: RailyardError): Any[] {
  const { reason, parts } = error;
  const metadata = new Map(Object.entries(parts.metadata ?? {}));
  if (error.code === "bug") {
    const info = { reason: "INTERNAL", domain: ERROR_DOMAIN, metadata: new Map() };
    return [pack("ErrorInfo", ErrorInfo, info)];
  }
  const { fields = [], resource, holders = [], quota } = parts;
  const retryAfterMs = parts.retryAfterMs ?? RETRY_AFTER_MS[error.code];
  const details: Any[] = [];
  if (fields.length > 0) details.push(badRequest(fields, metadata));
  if (resource) {
    const { type: resourceType, id: resourceName } = resource;
    const info = { resourceType, resourceName, owner: "", description: "" };
    details.push(pack("ResourceInfo", ResourceInfo, info));
  }
  if (quota) {
    metadata.set("limit", String(quota.limit)).set("used", String(quota.used));
    details.push(quotaFailure(quota));
  }
  if (holders.length > 0) {
    const violations = fitting(holders, (h) => h.type.length + h.id.length).map((h) => ({
      type: reason,
      subject: `${h.type}/${h.id}`,
      description: `${h.type} ${h.id} stands in the way`,
    }));
    metadata.set("holders", String(holders.length));
    details.push(pack("PreconditionFailure", PreconditionFailure, { violations }));
  }
  if (retryAfterMs !== undefined) {
    details.push(pack("RetryInfo", RetryInfo, { retryDelay: durationOf(retryAfterMs) }));
  }
  return [pack("ErrorInfo", ErrorInfo, { reason, domain: ERROR_DOMAIN, metadata }), ...details];
}

function badRequest(fields: readonly FieldViolation[], metadata: Map<string, string>): Any {
  const shownFields = fields.map(({ field, description }) => {
    return { field: cut(field), description: cut(description) };
  });
  const fieldViolations = fitting(shownFields, (f) => Buffer.byteLength(f.field + f.description));
  if (fieldViolations.length < fields.length) metadata.set("violations", String(fields.length));
  return pack("BadRequest", BadRequest, BadRequest.fromPartial({ fieldViolations }));
}

function quotaFailure(quota: { subject: string; limit: number; used: number }): Any {
  const description = `limit ${quota.limit}, used ${quota.used}`;
  const violations = [{ subject: quota.subject, description }];
  return pack("QuotaFailure", QuotaFailure, QuotaFailure.fromPartial({ violations }));
}

/** As many items from the front as the budget holds, at least one. */
function fitting<T>(items: readonly T[], bytesOf: (item: T) => number): T[] {
  let left = DETAIL_BYTES_MAX;
  const kept: T[] = [];
  for (const item of items) {
    left -= bytesOf(item);
    if (left < 0 && kept.length > 0) break;
    kept.push(item);
  }
  return kept;
}

function durationOf(ms: number): { seconds: bigint; nanos: number } {
  const whole = Math.ceil(ms);
  return { seconds: BigInt(Math.floor(whole / 1000)), nanos: (whole % 1000) * 1_000_000 };
}
