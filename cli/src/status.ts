// Turns what grpc-js throws into a RailyardError, with every detail of google.rpc.Status. The only
// file here that reads gRPC status codes; it prints nothing.
import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import {
  asRailyardError,
  type ErrorCode,
  type ErrorParts,
  type FieldViolation,
  RailyardError,
  type ResourceRef,
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

const DETAILS_KEY = "grpc-status-details-bin";

const CODES: Partial<Record<status, ErrorCode>> = {
  [status.INVALID_ARGUMENT]: "invalid",
  [status.NOT_FOUND]: "notFound",
  [status.ALREADY_EXISTS]: "exists",
  [status.ABORTED]: "conflict",
  [status.FAILED_PRECONDITION]: "precondition",
  [status.RESOURCE_EXHAUSTED]: "exhausted",
  [status.UNAUTHENTICATED]: "unauthenticated",
  [status.PERMISSION_DENIED]: "forbidden",
  [status.UNAVAILABLE]: "unavailable",
  // railctl cancels no call itself: this is a server that shut down under it.
  [status.CANCELLED]: "unavailable",
  [status.DEADLINE_EXCEEDED]: "deadline",
  [status.OUT_OF_RANGE]: "expired",
  [status.UNIMPLEMENTED]: "unimplemented",
};

/**
 * The same failure of a call to `server` as a RailyardError; what is not a gRPC failure is passed
 * through or a bug.
 */
export function fromServiceError(thrown: unknown, server: string): RailyardError {
  if (!isServiceError(thrown)) return asRailyardError(thrown);
  const details = detailsOf(thrown.metadata);
  const code = CODES[thrown.code] ?? "bug";
  // Without details the text is grpc-js's own.
  const unreached = code === "unavailable" && details.length === 0;
  const message = unreached ? unreachable(thrown, server) : thrown.details || thrown.message;
  return new RailyardError(code, message, { ...partsOf(details), cause: thrown });
}

function unreachable({ details }: ServiceError, server: string): string {
  const [, why = "connection lost"] =
    /Last error: (?:Error: )?(.*?)\.? *(?:Resolution|$)/.exec(details) ?? [];
  return `${server} cannot be reached: ${why}`;
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "metadata" in thrown;
}

function detailsOf(metadata: Metadata | undefined): readonly Any[] {
  const bytes = metadata?.get(DETAILS_KEY)[0];
  if (!(bytes instanceof Uint8Array)) return [];
  try {
    return Status.decode(bytes).details;
  } catch {
    // Details are an extra: a proxy that mangled them must not hide the status itself.
    return [];
  }
}

interface Codec<T> {
  decode(bytes: Uint8Array): T;
}

function find<T>(details: readonly Any[], name: string, codec: Codec<T>): T | undefined {
  const found = details.find(({ typeUrl }) => typeUrl.endsWith(`/google.rpc.${name}`));
  return found && codec.decode(found.value);
}

function partsOf(details: readonly Any[]): ErrorParts {
  const info = find(details, "ErrorInfo", ErrorInfo);
  const fields = find(details, "BadRequest", BadRequest)?.fieldViolations.map(
    ({ field, description }): FieldViolation => ({ field, description }),
  );
  const about = find(details, "ResourceInfo", ResourceInfo);
  const holders = find(details, "PreconditionFailure", PreconditionFailure)?.violations.map(
    ({ subject }): ResourceRef => holderOf(subject),
  );
  const quota = quotaOf(find(details, "QuotaFailure", QuotaFailure), info?.metadata);
  const delay = find(details, "RetryInfo", RetryInfo)?.retryDelay;
  return {
    ...(info?.reason && { reason: info.reason }),
    ...(info && { metadata: Object.fromEntries(info.metadata) }),
    ...(fields?.length && { fields }),
    ...(about && { resource: { type: about.resourceType, id: about.resourceName } }),
    ...(holders?.length && { holders }),
    ...(quota && { quota }),
    ...(delay && { retryAfterMs: Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000 }),
  };
}

// `type/id`
function holderOf(subject: string): ResourceRef {
  const slash = subject.indexOf("/");
  return { type: subject.slice(0, Math.max(0, slash)), id: subject.slice(slash + 1) };
}

// The numbers of a quota are beside its name, in the error's metadata.
function quotaOf(failure: QuotaFailure | undefined, metadata: Map<string, string> | undefined) {
  const subject = failure?.violations[0]?.subject;
  if (subject === undefined) return undefined;
  const count = (key: string) => Number(metadata?.get(key) ?? 0);
  return { subject, limit: count("limit"), used: count("used") };
}
